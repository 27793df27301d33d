-- An assignment whose user or organisation was deactivated is revoked by nobody.
ALTER TABLE assignments DROP CONSTRAINT assignments_revoked_check;
ALTER TABLE assignments ADD CONSTRAINT assignments_revoked_check CHECK (revoked_by IS NULL OR revoked_at IS NOT NULL);
