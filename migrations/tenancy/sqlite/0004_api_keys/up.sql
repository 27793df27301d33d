-- Of a key only the SHA-256 is kept, and its beginning, by which people know it again.
CREATE TABLE api_keys (
  id BLOB NOT NULL CONSTRAINT api_keys_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL REFERENCES organisations (id),
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  hash BLOB NOT NULL CONSTRAINT api_keys_hash_key UNIQUE,
  permissions INTEGER NOT NULL,
  created_by BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER,
  revoked_by BLOB,
  CONSTRAINT api_keys_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) STRICT;
CREATE INDEX api_keys_page ON api_keys (organisation_id, id DESC) WHERE revoked_at IS NULL;
