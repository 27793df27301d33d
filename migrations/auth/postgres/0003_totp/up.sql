-- Since when signing in asks for a code.
ALTER TABLE users ADD COLUMN totp_enabled_at timestamptz;

-- Authenticator apps, also those whose first code was not confirmed yet.
CREATE TABLE totp (
  user_id uuid CONSTRAINT totp_user_id_key PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  -- Encrypted.
  secret bytea NOT NULL,
  -- The time step of the last code that was taken: neither it nor an earlier one is taken again.
  last_step bigint NOT NULL,
  -- Wrong codes since the last right one.
  failures integer NOT NULL,
  -- Until then no code is looked at.
  paused_until timestamptz
);

-- By their SHA-256. A code that was used is deleted.
CREATE TABLE recovery_codes (
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  hash bytea NOT NULL,
  CONSTRAINT recovery_codes_user_id_hash_key PRIMARY KEY (user_id, hash)
);
