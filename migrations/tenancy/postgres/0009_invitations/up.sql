-- The name of an invitation in paths. Those that wait get one that tells nothing of their time.
ALTER TABLE invitations ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE invitations ALTER COLUMN id DROP DEFAULT;
ALTER TABLE invitations ADD CONSTRAINT invitations_id_key UNIQUE (id);
CREATE INDEX invitations_page ON invitations (organisation_id, id DESC);

-- What the organisation calls its member, in place of what the account says.
ALTER TABLE members ADD COLUMN name text;
ALTER TABLE members ADD COLUMN job_title text;
ALTER TABLE members ADD COLUMN phone text;
