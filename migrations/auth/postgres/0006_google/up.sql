-- Who signs in with an account elsewhere: by the issuer's own id of them, which never changes hands, as addresses do.
CREATE TABLE identities (
  issuer text NOT NULL,
  subject text NOT NULL,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  CONSTRAINT identities_issuer_subject_key PRIMARY KEY (issuer, subject),
  CONSTRAINT identities_user_id_issuer_key UNIQUE (user_id, issuer)
);

-- Browsers that were sent to Google. All but the verifier by their SHA-256.
CREATE TABLE google_flows (
  state bytea CONSTRAINT google_flows_state_key PRIMARY KEY,
  -- The cookie of the browser that began it.
  browser bytea NOT NULL,
  nonce bytea NOT NULL,
  -- Of PKCE, encrypted.
  verifier bytea NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  -- Who it was, while a code of their authenticator app is waited for.
  identity jsonb
);
CREATE INDEX google_flows_expires ON google_flows (expires_at);
