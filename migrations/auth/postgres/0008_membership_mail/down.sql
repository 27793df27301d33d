ALTER TABLE mails DROP COLUMN membership;
