-- Sessions that auth reported as ended while their access tokens may live.
CREATE TABLE ended_sessions (
  session_id uuid CONSTRAINT ended_sessions_session_id_key PRIMARY KEY,
  reported_at timestamptz NOT NULL
);
CREATE INDEX ended_sessions_reported ON ended_sessions (reported_at);
