DROP PROCEDURE join_tenants;
DROP PROCEDURE separate_tenants;
DROP FUNCTION shows_everyone;
DROP FUNCTION shown_organisation;
