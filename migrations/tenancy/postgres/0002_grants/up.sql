-- What superadmins granted to users directly. `permission` is its number in the contract.
CREATE TABLE grants (
  user_id uuid NOT NULL,
  permission integer NOT NULL,
  granted_by uuid NOT NULL,
  granted_at timestamptz NOT NULL,
  CONSTRAINT grants_user_id_permission_key PRIMARY KEY (user_id, permission)
);
