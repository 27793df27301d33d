DROP TABLE audit_log;
DROP FUNCTION refuse_change;
DROP TABLE audit_head;
