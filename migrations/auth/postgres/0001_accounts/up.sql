-- People. An account counts once its address is verified.
CREATE TABLE users (
  id uuid CONSTRAINT users_id_key PRIMARY KEY,
  email text NOT NULL,
  -- The form in which two spellings of one address are equal.
  email_folded text NOT NULL CONSTRAINT users_email_folded_key UNIQUE,
  -- Name and address, folded, for the search.
  search_text text NOT NULL,
  name text NOT NULL,
  company text,
  job_title text,
  phone text,
  -- A PHC string.
  password_hash text NOT NULL,
  is_superadmin boolean NOT NULL,
  is_active boolean NOT NULL,
  email_verified_at timestamptz,
  -- Grows with each change that the authority on access must know.
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX users_created ON users (created_at DESC, id DESC);

-- One sign-in: the family of refresh tokens that descend from it.
CREATE TABLE sessions (
  id uuid CONSTRAINT sessions_id_key PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  -- Moved on by each refresh, at most to ends_at.
  expires_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

-- Refresh tokens by their SHA-256. Those that were exchanged stay a while, so that their reuse is noticed.
CREATE TABLE refresh_tokens (
  hash bytea CONSTRAINT refresh_tokens_hash_key PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  replaced_at timestamptz,
  -- The token that it was exchanged for, encrypted, for as long as a retry gets it again.
  successor bytea
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_replaced ON refresh_tokens (replaced_at) WHERE replaced_at IS NOT NULL;
CREATE INDEX refresh_tokens_successor ON refresh_tokens (replaced_at) WHERE successor IS NOT NULL;

-- Tokens that are mailed, by their SHA-256. Each works once, for one purpose, for the address it was sent to.
CREATE TABLE single_use_tokens (
  hash bytea CONSTRAINT single_use_tokens_hash_key PRIMARY KEY,
  purpose text NOT NULL,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  email_folded text NOT NULL,
  -- What the sender of this registration wrote: the link that is followed decides whose password counts.
  registration jsonb,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX single_use_tokens_user ON single_use_tokens (user_id, created_at);
CREATE INDEX single_use_tokens_expires ON single_use_tokens (expires_at);

-- Mail to be sent. due_at and claimed_until are by the database's clock.
CREATE TABLE mails (
  id uuid CONSTRAINT mails_id_key PRIMARY KEY,
  recipient text NOT NULL,
  kind text NOT NULL,
  -- The token of the link, encrypted; gone once the mail is sent.
  token bytea,
  created_at timestamptz NOT NULL,
  attempts integer NOT NULL,
  -- When the sweep rings for it, if it is not sent by then.
  due_at timestamptz NOT NULL,
  claimed_until timestamptz,
  sent_at timestamptz,
  -- Given up.
  failed_at timestamptz
);
CREATE INDEX mails_due ON mails (due_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX mails_created ON mails (created_at);

-- Ed25519 keys that sign access tokens; the one without retired_at signs.
CREATE TABLE signing_keys (
  kid text CONSTRAINT signing_keys_kid_key PRIMARY KEY,
  public_key bytea NOT NULL,
  -- Encrypted.
  private_key bytea NOT NULL,
  created_at timestamptz NOT NULL,
  retired_at timestamptz
);
