CALL join_tenants(ARRAY[
  'contacts', 'contact_tags', 'imports', 'import_errors', 'assistants', 'campaigns', 'calls', 'attempts', 'call_events',
  'suppressions', 'webhook_inbox', 'stream_events'
]);
