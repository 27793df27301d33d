-- What has changed in who may do what, in the order of commits, so that other processes can follow: see
-- store/access_changes.rs. The database notes it: no statement can forget to.
CREATE TABLE access_head (
  id INTEGER NOT NULL CONSTRAINT access_head_id_key PRIMARY KEY CHECK (id = 1),
  -- Of the latest change. Numbers have no gaps.
  number INTEGER NOT NULL
) STRICT;
INSERT INTO access_head VALUES (1, 0);

CREATE TABLE access_changes (
  number INTEGER NOT NULL CONSTRAINT access_changes_number_key PRIMARY KEY,
  -- The id of a user, a session, an organisation or an API key.
  subject BLOB NOT NULL
) STRICT;

CREATE TRIGGER accounts_inserted AFTER INSERT ON accounts BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER accounts_updated AFTER UPDATE ON accounts BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER accounts_deleted AFTER DELETE ON accounts BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, OLD.user_id FROM access_head;
END;
CREATE TRIGGER assignments_inserted AFTER INSERT ON assignments BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER assignments_updated AFTER UPDATE ON assignments BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER assignments_deleted AFTER DELETE ON assignments BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, OLD.user_id FROM access_head;
END;
CREATE TRIGGER grants_inserted AFTER INSERT ON grants BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER grants_updated AFTER UPDATE ON grants BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER grants_deleted AFTER DELETE ON grants BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, OLD.user_id FROM access_head;
END;
CREATE TRIGGER members_inserted AFTER INSERT ON members BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER members_updated AFTER UPDATE ON members BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.user_id FROM access_head;
END;
CREATE TRIGGER members_deleted AFTER DELETE ON members BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, OLD.user_id FROM access_head;
END;
CREATE TRIGGER organisations_inserted AFTER INSERT ON organisations BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.id FROM access_head;
END;
CREATE TRIGGER organisations_updated AFTER UPDATE OF is_active ON organisations BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.id FROM access_head;
END;
CREATE TRIGGER organisations_deleted AFTER DELETE ON organisations BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, OLD.id FROM access_head;
END;
-- A session that is forgotten has no token any more, and a use of a key changes nothing.
CREATE TRIGGER ended_sessions_inserted AFTER INSERT ON ended_sessions BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.session_id FROM access_head;
END;
CREATE TRIGGER api_keys_inserted AFTER INSERT ON api_keys BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.id FROM access_head;
END;
CREATE TRIGGER api_keys_updated AFTER UPDATE OF permissions, expires_at, revoked_at ON api_keys BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, NEW.id FROM access_head;
END;
CREATE TRIGGER api_keys_deleted AFTER DELETE ON api_keys BEGIN
  UPDATE access_head SET number = number + 1;
  INSERT INTO access_changes SELECT number, OLD.id FROM access_head;
END;
