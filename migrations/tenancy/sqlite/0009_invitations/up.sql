-- The name of an invitation in paths. Those that wait get one that tells nothing of their time.
ALTER TABLE invitations ADD COLUMN id BLOB NOT NULL DEFAULT X'00';
UPDATE invitations SET id = randomblob(16);
CREATE UNIQUE INDEX invitations_id_key ON invitations (id);
CREATE INDEX invitations_page ON invitations (organisation_id, id DESC);

-- What the organisation calls its member, in place of what the account says.
ALTER TABLE members ADD COLUMN name TEXT;
ALTER TABLE members ADD COLUMN job_title TEXT;
ALTER TABLE members ADD COLUMN phone TEXT;
