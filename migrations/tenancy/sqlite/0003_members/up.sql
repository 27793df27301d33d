-- The form of an address in which two spellings of it are equal: see domain/email.rs. The accounts that are there get
-- what SQL can make of it; each report puts it right.
ALTER TABLE accounts ADD COLUMN folded_email TEXT NOT NULL DEFAULT '';
UPDATE accounts SET folded_email = lower(trim(email));
-- Not unique: reports come in any order.
CREATE INDEX accounts_folded_email ON accounts (folded_email) WHERE is_active;

CREATE TABLE members (
  organisation_id BLOB NOT NULL REFERENCES organisations (id),
  user_id BLOB NOT NULL,
  joined_at INTEGER NOT NULL,
  added_by BLOB NOT NULL,
  CONSTRAINT members_organisation_id_user_id_key PRIMARY KEY (organisation_id, user_id)
) STRICT;
CREATE INDEX members_page ON members (organisation_id, joined_at, user_id);
CREATE INDEX members_user ON members (user_id);

-- Addresses whose owners become members as soon as they have active accounts.
CREATE TABLE invitations (
  organisation_id BLOB NOT NULL REFERENCES organisations (id),
  folded_email TEXT NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  invited_by BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  CONSTRAINT invitations_organisation_id_folded_email_key PRIMARY KEY (organisation_id, folded_email)
) STRICT;
CREATE INDEX invitations_folded_email ON invitations (folded_email);
CREATE INDEX invitations_expires_at ON invitations (expires_at);
