DROP TABLE invitations;
DROP TABLE members;
DROP INDEX accounts_folded_email;
ALTER TABLE accounts DROP COLUMN folded_email;
