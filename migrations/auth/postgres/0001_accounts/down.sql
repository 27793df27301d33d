DROP TABLE signing_keys, mails, single_use_tokens, refresh_tokens, sessions, users;
