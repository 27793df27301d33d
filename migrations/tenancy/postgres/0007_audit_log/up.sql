-- A chain: each entry's hash covers the one before it. See domain/chain.rs.
CREATE TABLE audit_log (
  -- 1, 2, 3 and so on, without gaps.
  sequence bigint CONSTRAINT audit_log_sequence_key PRIMARY KEY,
  id uuid NOT NULL CONSTRAINT audit_log_id_key UNIQUE,
  at timestamptz NOT NULL,
  actor_kind text NOT NULL,
  actor_id text NOT NULL,
  action text NOT NULL,
  organisation_id uuid,
  subject_kind text NOT NULL,
  subject_id text NOT NULL,
  outcome text NOT NULL,
  network text NOT NULL,
  -- JSON, as it was hashed.
  details text NOT NULL,
  previous_hash bytea NOT NULL,
  hash bytea NOT NULL
);
CREATE INDEX audit_log_page ON audit_log (at, sequence);
CREATE INDEX audit_log_actor ON audit_log (actor_id, at, sequence);
CREATE INDEX audit_log_action ON audit_log (action, at, sequence);
CREATE INDEX audit_log_organisation ON audit_log (organisation_id, at, sequence) WHERE organisation_id IS NOT NULL;

-- Where the chain ends: one row. Whoever appends holds it; a chain that is cut off ends before it.
CREATE TABLE audit_head (
  single boolean CONSTRAINT audit_head_single_key PRIMARY KEY DEFAULT true CHECK (single),
  sequence bigint NOT NULL,
  hash bytea NOT NULL
);
INSERT INTO audit_head (sequence, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- The name tells db::migrate to give the service's role no right to update or delete.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Not `separate_tenants`: entries about an organisation are for superadmins too, and many are about none.
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON audit_log USING ((SELECT shows_everyone()));
