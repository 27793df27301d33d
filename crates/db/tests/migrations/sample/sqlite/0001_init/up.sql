CREATE TABLE organisations (
  id BLOB PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('trial', 'active', 'closed')),
  settings TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE contacts (
  id BLOB PRIMARY KEY NOT NULL,
  organisation_id BLOB NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
  parent_id BLOB,
  name TEXT NOT NULL,
  phone TEXT NOT NULL,
  email TEXT,
  score INTEGER NOT NULL,
  called_at INTEGER,
  UNIQUE (organisation_id, phone)
) STRICT;
CREATE UNIQUE INDEX contacts_email_key ON contacts (lower(email));
