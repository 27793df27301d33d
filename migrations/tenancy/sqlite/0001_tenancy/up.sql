CREATE TABLE organisations (
  id BLOB NOT NULL CONSTRAINT organisations_id_key PRIMARY KEY,
  name TEXT NOT NULL,
  -- For searching and for ordering: see store/organisations.rs.
  folded_name TEXT NOT NULL,
  sort_name TEXT NOT NULL,
  description TEXT NOT NULL,
  address TEXT NOT NULL,
  city TEXT NOT NULL,
  state TEXT NOT NULL,
  country TEXT NOT NULL,
  pincode TEXT NOT NULL,
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX organisations_page ON organisations (sort_name, id);

-- What auth reported last of each account.
CREATE TABLE accounts (
  user_id BLOB NOT NULL CONSTRAINT accounts_user_id_key PRIMARY KEY,
  version INTEGER NOT NULL,
  email TEXT NOT NULL,
  name TEXT NOT NULL,
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  is_superadmin INTEGER NOT NULL CHECK (is_superadmin IN (0, 1))
) STRICT;

-- What agent reported last of each assignment. Reports come in any order, and before or after those of auth: so
-- nothing refers to anything, and nothing but the assignment is unique.
CREATE TABLE assignments (
  assignment_id BLOB NOT NULL CONSTRAINT assignments_assignment_id_key PRIMARY KEY,
  version INTEGER NOT NULL,
  user_id BLOB NOT NULL,
  organisation_id BLOB NOT NULL,
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  permissions INTEGER NOT NULL
) STRICT;
CREATE INDEX assignments_user ON assignments (user_id) WHERE is_active;
CREATE INDEX assignments_organisation ON assignments (organisation_id) WHERE is_active;
