DROP TABLE signing_keys;
DROP TABLE mails;
DROP TABLE single_use_tokens;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE users;
