-- How an organisation calls. What is NULL has its default; an organisation that never set anything has no row.
CREATE TABLE settings (
  organisation_id BLOB NOT NULL CONSTRAINT settings_organisation_id_key PRIMARY KEY REFERENCES organisations (id),
  calling_window TEXT,
  pacing TEXT,
  -- Empty: none.
  default_country TEXT,
  timezone TEXT,
  caps TEXT,
  retention TEXT,
  -- The key of the organisation's own account with Bland AI, sealed with the master key.
  bland_api_key BLOB,
  bland_key_hint TEXT,
  bland_key_updated_at INTEGER,
  updated_at INTEGER NOT NULL,
  CONSTRAINT settings_bland_check CHECK (
    (bland_api_key IS NULL) = (bland_key_hint IS NULL) AND (bland_api_key IS NULL) = (bland_key_updated_at IS NULL)
  )
) STRICT;
