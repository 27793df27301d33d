CREATE TABLE organisations (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  status text NOT NULL CHECK (status IN ('trial', 'active', 'closed')),
  settings jsonb NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE TABLE contacts (
  id uuid PRIMARY KEY,
  organisation_id uuid NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
  parent_id uuid,
  name text NOT NULL,
  phone text NOT NULL,
  email text,
  score integer NOT NULL,
  called_at timestamptz,
  CONSTRAINT contacts_organisation_id_phone_key UNIQUE (organisation_id, phone)
);
CREATE UNIQUE INDEX contacts_email_key ON contacts (lower(email));
