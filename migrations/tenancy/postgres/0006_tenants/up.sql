-- Every table with an organisation_id but assignments: what a user is in one organisation depends on the assignment that
-- the user has in another.
CALL separate_tenants(ARRAY['members', 'invitations', 'api_keys']);
