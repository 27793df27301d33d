-- Passwords that were tried and not found right, by the SHA-256 of what they are counted for.
CREATE TABLE attempts (
  key BLOB CONSTRAINT attempts_key_key PRIMARY KEY NOT NULL,
  count INTEGER NOT NULL,
  -- When the first of them was made.
  since INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_since ON attempts (since);
