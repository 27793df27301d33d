DROP TABLE recovery_codes;
DROP TABLE totp;
ALTER TABLE users DROP COLUMN totp_enabled_at;
