CREATE TABLE assistants (
  id BLOB NOT NULL CONSTRAINT assistants_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  name TEXT NOT NULL,
  script TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX assistants_page ON assistants (organisation_id, id DESC);

CREATE TABLE campaigns (
  id BLOB NOT NULL CONSTRAINT campaigns_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  assistant_id BLOB,
  script TEXT NOT NULL,
  selection TEXT NOT NULL,
  max_concurrent INTEGER NOT NULL,
  calls_per_second INTEGER NOT NULL,
  -- Filling: the calls of its contacts are made in chunks, in the order of the contacts' ids.
  filled INTEGER NOT NULL DEFAULT 0,
  filled_to BLOB,
  -- Pacing: when the next call may be released.
  next_release_at INTEGER,
  -- How many calls stand where.
  queued INTEGER NOT NULL DEFAULT 0,
  active INTEGER NOT NULL DEFAULT 0,
  completed INTEGER NOT NULL DEFAULT 0,
  no_answer INTEGER NOT NULL DEFAULT 0,
  busy INTEGER NOT NULL DEFAULT 0,
  voicemail INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  canceled INTEGER NOT NULL DEFAULT 0,
  blocked INTEGER NOT NULL DEFAULT 0,
  unknown INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER
) STRICT;
CREATE INDEX campaigns_page ON campaigns (organisation_id, id DESC);
CREATE INDEX campaigns_open ON campaigns (id) WHERE status IN ('running', 'cancelled') AND finished_at IS NULL;

CREATE TABLE calls (
  id BLOB NOT NULL CONSTRAINT calls_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  status TEXT NOT NULL,
  phone_number TEXT NOT NULL,
  contact_id BLOB,
  campaign_id BLOB,
  assistant_id BLOB,
  script TEXT NOT NULL,
  metadata TEXT NOT NULL,
  reason TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  -- How often in a row it could not be handed over; for the backoff.
  failures INTEGER NOT NULL DEFAULT 0,
  needs_review INTEGER NOT NULL DEFAULT 0,
  answered_by TEXT,
  duration INTEGER,
  price_micros INTEGER,
  summary TEXT,
  transcript TEXT,
  turns TEXT,
  -- The provider's; copied by a job of its own.
  recording_source TEXT,
  recording_type TEXT,
  recording_size INTEGER,
  recorded INTEGER NOT NULL DEFAULT 0,
  scheduled_at INTEGER,
  -- When it may be placed; NULL while its campaign has not released it.
  due_at INTEGER,
  -- When its message was last sent.
  rung_at INTEGER,
  -- The claim: a fencing token, and a lease by the database's clock.
  epoch INTEGER NOT NULL DEFAULT 0,
  claimed_until INTEGER,
  claimed_by TEXT,
  started_at INTEGER,
  ended_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CONSTRAINT calls_campaign_id_contact_id_key UNIQUE (campaign_id, contact_id)
) STRICT;
CREATE INDEX calls_page ON calls (organisation_id, id DESC);
CREATE INDEX calls_page_campaign ON calls (organisation_id, campaign_id, id DESC) WHERE campaign_id IS NOT NULL;
CREATE INDEX calls_page_contact ON calls (organisation_id, contact_id, id DESC) WHERE contact_id IS NOT NULL;
CREATE INDEX calls_page_number ON calls (organisation_id, phone_number, id DESC);
CREATE INDEX calls_page_status ON calls (organisation_id, status, id DESC);
CREATE INDEX calls_due ON calls (due_at) WHERE status = 'queued' AND due_at IS NOT NULL;
CREATE INDEX calls_held ON calls (campaign_id, id) WHERE status = 'queued' AND due_at IS NULL;
CREATE INDEX calls_released ON calls (campaign_id) WHERE status = 'queued' AND due_at IS NOT NULL;
CREATE INDEX calls_unrecorded ON calls (rung_at) WHERE recording_source IS NOT NULL AND NOT recorded;
CREATE INDEX calls_active_number ON calls (organisation_id, phone_number)
  WHERE status IN ('dialing', 'ringing', 'in_progress', 'unknown');

CREATE TABLE attempts (
  id BLOB NOT NULL CONSTRAINT attempts_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  call_id BLOB NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  state TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  rule_version INTEGER NOT NULL,
  provider_call_id TEXT,
  message TEXT,
  -- The provider's last word on it, as it came.
  raw TEXT,
  lookups INTEGER NOT NULL DEFAULT 0,
  lookup_at INTEGER,
  sent_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
-- One live attempt for each call: the database's own word on "nobody is dialed twice".
CREATE UNIQUE INDEX attempts_call_id_key ON attempts (call_id) WHERE state IN ('intent', 'sent', 'accepted', 'unknown');
CREATE INDEX attempts_call ON attempts (call_id, number);
CREATE INDEX attempts_provider ON attempts (provider_call_id) WHERE provider_call_id IS NOT NULL;
CREATE INDEX attempts_lease ON attempts (lease_until) WHERE state IN ('intent', 'sent');
CREATE INDEX attempts_lookup ON attempts (lookup_at) WHERE lookup_at IS NOT NULL;

CREATE TABLE call_events (
  id BLOB NOT NULL CONSTRAINT call_events_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  call_id BLOB NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
  status TEXT NOT NULL,
  cause TEXT NOT NULL,
  detail TEXT,
  attempt INTEGER,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX call_events_page ON call_events (organisation_id, call_id, id);

CREATE TABLE suppressions (
  organisation_id BLOB NOT NULL,
  phone_number TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  CONSTRAINT suppressions_key PRIMARY KEY (organisation_id, phone_number)
) STRICT;

-- Incoming webhooks that were taken, so that a repeated one changes nothing.
CREATE TABLE webhook_inbox (
  event_key BLOB NOT NULL CONSTRAINT webhook_inbox_event_key_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_inbox_age ON webhook_inbox (received_at);

-- The platform's pace: one row, taken and given back in the transactions that claim and finish calls.
CREATE TABLE pacing (
  name TEXT NOT NULL CONSTRAINT pacing_name_key PRIMARY KEY,
  active INTEGER NOT NULL,
  next_at INTEGER NOT NULL
) STRICT;
INSERT INTO pacing VALUES ('platform', 0, 0);

-- What the live stream shows. There is one writer, so that `seq` is the order of commits; `transaction` has a meaning
-- on PostgreSQL only.
CREATE TABLE stream_events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  "transaction" INTEGER NOT NULL DEFAULT 0,
  organisation_id BLOB NOT NULL,
  kind TEXT NOT NULL,
  subject_id BLOB NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX stream_events_page ON stream_events (organisation_id, "transaction", seq);
CREATE INDEX stream_events_age ON stream_events (at);
