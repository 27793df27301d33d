-- Passwords that were tried and not found right, by the SHA-256 of what they are counted for.
CREATE TABLE attempts (
  key bytea CONSTRAINT attempts_key_key PRIMARY KEY,
  count integer NOT NULL,
  -- When the first of them was made.
  since timestamptz NOT NULL
);
CREATE INDEX attempts_since ON attempts (since);
