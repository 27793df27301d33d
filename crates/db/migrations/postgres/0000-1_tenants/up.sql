-- Whose rows the session shows. db::Pool sets it for each loan; while nothing is set, nobody's.
CREATE FUNCTION shown_organisation() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  RETURN NULLIF(current_setting('callfairy.organisation', true), '')::uuid;
CREATE FUNCTION shows_everyone() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN COALESCE(current_setting('callfairy.everyone', true), '') = 'on';

-- For the migrations of services: a table's rows are shown to, and taken from, the organisation that they belong to.
CREATE PROCEDURE separate_tenants(tables text[]) LANGUAGE plpgsql AS $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY tables LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    -- As subqueries they are computed once a statement, not once a row.
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organisation_id = (SELECT shown_organisation()) OR (SELECT shows_everyone()))',
      name
    );
  END LOOP;
END
$$;

-- Takes that back.
CREATE PROCEDURE join_tenants(tables text[]) LANGUAGE plpgsql AS $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY tables LOOP
    EXECUTE format('DROP POLICY tenant ON %I', name);
    EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', name);
  END LOOP;
END
$$;
