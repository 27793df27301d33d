-- Since when signing in asks for a code.
ALTER TABLE users ADD COLUMN totp_enabled_at INTEGER;

-- Authenticator apps, also those whose first code was not confirmed yet.
CREATE TABLE totp (
  user_id BLOB CONSTRAINT totp_user_id_key PRIMARY KEY NOT NULL REFERENCES users ON DELETE CASCADE,
  -- Encrypted.
  secret BLOB NOT NULL,
  -- The time step of the last code that was taken: neither it nor an earlier one is taken again.
  last_step INTEGER NOT NULL,
  -- Wrong codes since the last right one.
  failures INTEGER NOT NULL,
  -- Until then no code is looked at.
  paused_until INTEGER
) STRICT;

-- By their SHA-256. A code that was used is deleted.
CREATE TABLE recovery_codes (
  user_id BLOB NOT NULL REFERENCES users ON DELETE CASCADE,
  hash BLOB NOT NULL,
  CONSTRAINT recovery_codes_user_id_hash_key PRIMARY KEY (user_id, hash)
) STRICT;
