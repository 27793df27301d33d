-- People. An account counts once its address is verified.
CREATE TABLE users (
  id BLOB CONSTRAINT users_id_key PRIMARY KEY NOT NULL,
  email TEXT NOT NULL,
  -- The form in which two spellings of one address are equal.
  email_folded TEXT NOT NULL CONSTRAINT users_email_folded_key UNIQUE,
  -- Name and address, folded, for the search.
  search_text TEXT NOT NULL,
  name TEXT NOT NULL,
  company TEXT,
  job_title TEXT,
  phone TEXT,
  -- A PHC string.
  password_hash TEXT NOT NULL,
  is_superadmin INTEGER NOT NULL,
  is_active INTEGER NOT NULL,
  email_verified_at INTEGER,
  -- Grows with each change that the authority on access must know.
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX users_created ON users (created_at DESC, id DESC);

-- One sign-in: the family of refresh tokens that descend from it.
CREATE TABLE sessions (
  id BLOB CONSTRAINT sessions_id_key PRIMARY KEY NOT NULL,
  user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  -- Moved on by each refresh, at most to ends_at.
  expires_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

-- Refresh tokens by their SHA-256. Those that were exchanged stay a while, so that their reuse is noticed.
CREATE TABLE refresh_tokens (
  hash BLOB CONSTRAINT refresh_tokens_hash_key PRIMARY KEY NOT NULL,
  session_id BLOB NOT NULL REFERENCES sessions ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  replaced_at INTEGER,
  -- The token that it was exchanged for, encrypted, for as long as a retry gets it again.
  successor BLOB
) STRICT;
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_replaced ON refresh_tokens (replaced_at) WHERE replaced_at IS NOT NULL;
CREATE INDEX refresh_tokens_successor ON refresh_tokens (replaced_at) WHERE successor IS NOT NULL;

-- Tokens that are mailed, by their SHA-256. Each works once, for one purpose, for the address it was sent to.
CREATE TABLE single_use_tokens (
  hash BLOB CONSTRAINT single_use_tokens_hash_key PRIMARY KEY NOT NULL,
  purpose TEXT NOT NULL,
  user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
  email_folded TEXT NOT NULL,
  -- What the sender of this registration wrote: the link that is followed decides whose password counts.
  registration TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;
CREATE INDEX single_use_tokens_user ON single_use_tokens (user_id, created_at);
CREATE INDEX single_use_tokens_expires ON single_use_tokens (expires_at);

-- Mail to be sent. due_at and claimed_until are by the database's clock.
CREATE TABLE mails (
  id BLOB CONSTRAINT mails_id_key PRIMARY KEY NOT NULL,
  recipient TEXT NOT NULL,
  kind TEXT NOT NULL,
  -- The token of the link, encrypted; gone once the mail is sent.
  token BLOB,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  -- When the sweep rings for it, if it is not sent by then.
  due_at INTEGER NOT NULL,
  claimed_until INTEGER,
  sent_at INTEGER,
  -- Given up.
  failed_at INTEGER
) STRICT;
CREATE INDEX mails_due ON mails (due_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX mails_created ON mails (created_at);

-- Ed25519 keys that sign access tokens; the one without retired_at signs.
CREATE TABLE signing_keys (
  kid TEXT CONSTRAINT signing_keys_kid_key PRIMARY KEY NOT NULL,
  public_key BLOB NOT NULL,
  -- Encrypted.
  private_key BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  retired_at INTEGER
) STRICT;
