CREATE TABLE new_assignments (
  id BLOB NOT NULL CONSTRAINT assignments_id_key PRIMARY KEY,
  user_id BLOB NOT NULL,
  organisation_id BLOB NOT NULL,
  permissions INTEGER NOT NULL,
  assigned_at INTEGER NOT NULL,
  assigned_by BLOB NOT NULL,
  revoked_at INTEGER,
  revoked_by BLOB,
  -- Grows with each change, so that a late report is known as one.
  version INTEGER NOT NULL,
  CONSTRAINT assignments_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) STRICT;
INSERT INTO new_assignments SELECT id, user_id, organisation_id, permissions, assigned_at, assigned_by, revoked_at,
  CASE WHEN revoked_at IS NOT NULL THEN COALESCE(revoked_by, assigned_by) END, version FROM assignments;
DROP TABLE assignments;
ALTER TABLE new_assignments RENAME TO assignments;
CREATE UNIQUE INDEX assignments_user_id_key ON assignments (user_id) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX assignments_organisation_id_key ON assignments (organisation_id) WHERE revoked_at IS NULL;
CREATE INDEX assignments_page ON assignments (assigned_at DESC, id DESC);
CREATE INDEX assignments_user_page ON assignments (user_id, assigned_at DESC, id DESC);
CREATE INDEX assignments_organisation_page ON assignments (organisation_id, assigned_at DESC, id DESC);
