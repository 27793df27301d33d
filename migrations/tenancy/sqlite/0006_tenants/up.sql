-- SQLite does not separate tenants by itself.
SELECT 1;
