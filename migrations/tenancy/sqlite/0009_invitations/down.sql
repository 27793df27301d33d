ALTER TABLE members DROP COLUMN name;
ALTER TABLE members DROP COLUMN job_title;
ALTER TABLE members DROP COLUMN phone;
DROP INDEX invitations_page;
DROP INDEX invitations_id_key;
ALTER TABLE invitations DROP COLUMN id;
