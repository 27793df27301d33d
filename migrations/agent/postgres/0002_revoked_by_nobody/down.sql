UPDATE assignments SET revoked_by = assigned_by WHERE revoked_at IS NOT NULL AND revoked_by IS NULL;
ALTER TABLE assignments DROP CONSTRAINT assignments_revoked_check;
ALTER TABLE assignments ADD CONSTRAINT assignments_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL));
