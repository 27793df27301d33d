CREATE TABLE organisations (
  id uuid CONSTRAINT organisations_id_key PRIMARY KEY,
  name text NOT NULL,
  -- For searching and for ordering: see store/organisations.rs.
  folded_name text NOT NULL,
  sort_name text COLLATE "C" NOT NULL,
  description text NOT NULL,
  address text NOT NULL,
  city text NOT NULL,
  state text NOT NULL,
  country text NOT NULL,
  pincode text NOT NULL,
  is_active boolean NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX organisations_page ON organisations (sort_name, id);

-- What auth reported last of each account.
CREATE TABLE accounts (
  user_id uuid CONSTRAINT accounts_user_id_key PRIMARY KEY,
  version bigint NOT NULL,
  email text NOT NULL,
  name text NOT NULL,
  is_active boolean NOT NULL,
  is_superadmin boolean NOT NULL
);

-- What agent reported last of each assignment. Reports come in any order, and before or after those of auth: so
-- nothing refers to anything, and nothing but the assignment is unique.
CREATE TABLE assignments (
  assignment_id uuid CONSTRAINT assignments_assignment_id_key PRIMARY KEY,
  version bigint NOT NULL,
  user_id uuid NOT NULL,
  organisation_id uuid NOT NULL,
  is_active boolean NOT NULL,
  permissions bigint NOT NULL
);
CREATE INDEX assignments_user ON assignments (user_id) WHERE is_active;
CREATE INDEX assignments_organisation ON assignments (organisation_id) WHERE is_active;
