-- A chain: each entry's hash covers the one before it. See domain/chain.rs.
CREATE TABLE audit_log (
  -- 1, 2, 3 and so on, without gaps.
  sequence INTEGER CONSTRAINT audit_log_sequence_key PRIMARY KEY NOT NULL,
  id BLOB NOT NULL CONSTRAINT audit_log_id_key UNIQUE,
  at INTEGER NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  action TEXT NOT NULL,
  organisation_id BLOB,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  outcome TEXT NOT NULL,
  network TEXT NOT NULL,
  -- JSON, as it was hashed.
  details TEXT NOT NULL,
  previous_hash BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_log_page ON audit_log (at, sequence);
CREATE INDEX audit_log_actor ON audit_log (actor_id, at, sequence);
CREATE INDEX audit_log_action ON audit_log (action, at, sequence);
CREATE INDEX audit_log_organisation ON audit_log (organisation_id, at, sequence) WHERE organisation_id IS NOT NULL;

-- Where the chain ends: one row. A chain that is cut off ends before it.
CREATE TABLE audit_head (
  single INTEGER CONSTRAINT audit_head_single_key PRIMARY KEY NOT NULL DEFAULT 1 CHECK (single = 1),
  sequence INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_head (sequence, hash) VALUES (0, zeroblob(32));

CREATE TRIGGER audit_log_update BEFORE UPDATE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;
CREATE TRIGGER audit_log_delete BEFORE DELETE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;
-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_log_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE sequence = NEW.sequence OR id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;
