DROP TABLE leases;
DROP TABLE idempotency;
DROP TABLE outbox;
