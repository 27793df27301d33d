-- What has changed in who may do what, in the order of commits, so that other processes can follow: see
-- store/access_changes.rs. The database notes it: no statement can forget to.
CREATE TABLE access_head (
  id integer CONSTRAINT access_head_id_key PRIMARY KEY CHECK (id = 1),
  -- Of the latest change. Numbers have no gaps.
  number bigint NOT NULL
);
INSERT INTO access_head VALUES (1, 0);

CREATE TABLE access_changes (
  number bigint CONSTRAINT access_changes_number_key PRIMARY KEY,
  -- The id of a user, a session, an organisation or an API key.
  subject uuid NOT NULL
);

-- Runs when its transaction commits: nothing is locked after the head, and its lock keeps later numbers from being
-- seen earlier. `TG_ARGV[0]` names the column of the subject.
CREATE FUNCTION note_access_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
  next bigint;
BEGIN
  UPDATE access_head SET number = number + 1 RETURNING number INTO next;
  INSERT INTO access_changes VALUES (next, (changed ->> TG_ARGV[0])::uuid);
  RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER note_access_change AFTER INSERT OR UPDATE OR DELETE ON accounts
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_access_change('user_id');
CREATE CONSTRAINT TRIGGER note_access_change AFTER INSERT OR UPDATE OR DELETE ON assignments
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_access_change('user_id');
CREATE CONSTRAINT TRIGGER note_access_change AFTER INSERT OR UPDATE OR DELETE ON grants
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_access_change('user_id');
CREATE CONSTRAINT TRIGGER note_access_change AFTER INSERT OR UPDATE OR DELETE ON members
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_access_change('user_id');
CREATE CONSTRAINT TRIGGER note_access_change AFTER INSERT OR UPDATE OF is_active OR DELETE ON organisations
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_access_change('id');
-- A session that is forgotten has no token any more, and a use of a key changes nothing.
CREATE CONSTRAINT TRIGGER note_access_change AFTER INSERT ON ended_sessions
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_access_change('session_id');
CREATE CONSTRAINT TRIGGER note_access_change
  AFTER INSERT OR UPDATE OF permissions, expires_at, revoked_at OR DELETE ON api_keys
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_access_change('id');
