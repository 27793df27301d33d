-- Of a key only the SHA-256 is kept, and its beginning, by which people know it again.
CREATE TABLE api_keys (
  id uuid CONSTRAINT api_keys_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL REFERENCES organisations (id),
  name text NOT NULL,
  prefix text NOT NULL,
  hash bytea NOT NULL CONSTRAINT api_keys_hash_key UNIQUE,
  permissions bigint NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  revoked_by uuid,
  CONSTRAINT api_keys_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX api_keys_page ON api_keys (organisation_id, id DESC) WHERE revoked_at IS NULL;
