-- Messages that a change of this service must cause, written in the change's own transaction.
CREATE TABLE outbox (
  id BLOB PRIMARY KEY NOT NULL,
  topic TEXT NOT NULL,
  key BLOB,
  payload TEXT NOT NULL,
  headers TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  available_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  claimed_until INTEGER
) STRICT;
CREATE INDEX outbox_available ON outbox (available_at);

-- What was answered to a request that carried an idempotency key.
CREATE TABLE idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  request_hash BLOB NOT NULL,
  response BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_at);

-- Who leads: one holder for each name, until the time given by this database's clock.
CREATE TABLE leases (
  name TEXT PRIMARY KEY NOT NULL,
  holder TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT;
