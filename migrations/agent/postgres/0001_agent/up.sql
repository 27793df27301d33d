-- Who managed which organisation, and when: rows are never deleted. An assignment is active until it is revoked.
CREATE TABLE assignments (
  id uuid CONSTRAINT assignments_id_key PRIMARY KEY,
  user_id uuid NOT NULL,
  organisation_id uuid NOT NULL,
  permissions bigint NOT NULL,
  assigned_at timestamptz NOT NULL,
  assigned_by uuid NOT NULL,
  revoked_at timestamptz,
  revoked_by uuid,
  -- Grows with each change, so that a late report is known as one.
  version bigint NOT NULL,
  CONSTRAINT assignments_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE UNIQUE INDEX assignments_user_id_key ON assignments (user_id) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX assignments_organisation_id_key ON assignments (organisation_id) WHERE revoked_at IS NULL;
CREATE INDEX assignments_page ON assignments (assigned_at DESC, id DESC);
CREATE INDEX assignments_user_page ON assignments (user_id, assigned_at DESC, id DESC);
CREATE INDEX assignments_organisation_page ON assignments (organisation_id, assigned_at DESC, id DESC);
