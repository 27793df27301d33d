-- How an organisation calls. What is NULL has its default; an organisation that never set anything has no row.
CREATE TABLE settings (
  organisation_id uuid CONSTRAINT settings_organisation_id_key PRIMARY KEY REFERENCES organisations (id),
  calling_window jsonb,
  pacing jsonb,
  -- Empty: none.
  default_country text,
  timezone text,
  caps jsonb,
  retention jsonb,
  -- The key of the organisation's own account with Bland AI, sealed with the master key.
  bland_api_key bytea,
  bland_key_hint text,
  bland_key_updated_at timestamptz,
  updated_at timestamptz NOT NULL,
  CONSTRAINT settings_bland_check CHECK (
    (bland_api_key IS NULL) = (bland_key_hint IS NULL) AND (bland_api_key IS NULL) = (bland_key_updated_at IS NULL)
  )
);
CALL separate_tenants(ARRAY['settings']);
