DROP TABLE allowed_email_domains;
