ALTER TABLE members DROP COLUMN name, DROP COLUMN job_title, DROP COLUMN phone;
DROP INDEX invitations_page;
ALTER TABLE invitations DROP COLUMN id;
