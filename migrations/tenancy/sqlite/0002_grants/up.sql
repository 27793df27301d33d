-- What superadmins granted to users directly. `permission` is its number in the contract.
CREATE TABLE grants (
  user_id BLOB NOT NULL,
  permission INTEGER NOT NULL,
  granted_by BLOB NOT NULL,
  granted_at INTEGER NOT NULL,
  CONSTRAINT grants_user_id_permission_key PRIMARY KEY (user_id, permission)
) STRICT, WITHOUT ROWID;
