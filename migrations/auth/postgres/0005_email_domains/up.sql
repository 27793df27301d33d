-- The domains whose addresses may register, in ASCII and lower case. None: all may.
CREATE TABLE allowed_email_domains (
  domain text CONSTRAINT allowed_email_domains_domain_key PRIMARY KEY,
  created_at timestamptz NOT NULL,
  created_by uuid NOT NULL
);
