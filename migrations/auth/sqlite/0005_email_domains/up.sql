-- The domains whose addresses may register, in ASCII and lower case. None: all may.
CREATE TABLE allowed_email_domains (
  domain TEXT CONSTRAINT allowed_email_domains_domain_key PRIMARY KEY NOT NULL,
  created_at INTEGER NOT NULL,
  created_by BLOB NOT NULL
) STRICT;
