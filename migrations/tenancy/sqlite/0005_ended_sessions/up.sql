-- Sessions that auth reported as ended while their access tokens may live.
CREATE TABLE ended_sessions (
  session_id BLOB CONSTRAINT ended_sessions_session_id_key PRIMARY KEY NOT NULL,
  reported_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ended_sessions_reported ON ended_sessions (reported_at);
