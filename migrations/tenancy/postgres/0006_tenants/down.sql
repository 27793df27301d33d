CALL join_tenants(ARRAY['members', 'invitations', 'api_keys']);
