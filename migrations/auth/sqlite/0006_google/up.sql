-- Who signs in with an account elsewhere: by the issuer's own id of them, which never changes hands, as addresses do.
CREATE TABLE identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at INTEGER NOT NULL,
  CONSTRAINT identities_issuer_subject_key PRIMARY KEY (issuer, subject),
  CONSTRAINT identities_user_id_issuer_key UNIQUE (user_id, issuer)
) STRICT;

-- Browsers that were sent to Google. All but the verifier by their SHA-256.
CREATE TABLE google_flows (
  state BLOB CONSTRAINT google_flows_state_key PRIMARY KEY NOT NULL,
  -- The cookie of the browser that began it.
  browser BLOB NOT NULL,
  nonce BLOB NOT NULL,
  -- Of PKCE, encrypted.
  verifier BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  -- Who it was, while a code of their authenticator app is waited for.
  identity TEXT
) STRICT;
CREATE INDEX google_flows_expires ON google_flows (expires_at);
