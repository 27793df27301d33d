CREATE TABLE assistants (
  id uuid NOT NULL CONSTRAINT assistants_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  name text NOT NULL,
  script jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE INDEX assistants_page ON assistants (organisation_id, id DESC);

CREATE TABLE campaigns (
  id uuid NOT NULL CONSTRAINT campaigns_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  name text NOT NULL,
  status text NOT NULL,
  assistant_id uuid,
  script jsonb NOT NULL,
  selection jsonb NOT NULL,
  max_concurrent integer NOT NULL,
  calls_per_second integer NOT NULL,
  -- Filling: the calls of its contacts are made in chunks, in the order of the contacts' ids.
  filled boolean NOT NULL DEFAULT false,
  filled_to uuid,
  -- Pacing: when the next call may be released.
  next_release_at timestamptz,
  -- How many calls stand where.
  queued bigint NOT NULL DEFAULT 0,
  active bigint NOT NULL DEFAULT 0,
  completed bigint NOT NULL DEFAULT 0,
  no_answer bigint NOT NULL DEFAULT 0,
  busy bigint NOT NULL DEFAULT 0,
  voicemail bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  canceled bigint NOT NULL DEFAULT 0,
  blocked bigint NOT NULL DEFAULT 0,
  unknown bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz
);
CREATE INDEX campaigns_page ON campaigns (organisation_id, id DESC);
CREATE INDEX campaigns_open ON campaigns (id) WHERE status IN ('running', 'cancelled') AND finished_at IS NULL;

CREATE TABLE calls (
  id uuid NOT NULL CONSTRAINT calls_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  status text NOT NULL,
  phone_number text NOT NULL,
  contact_id uuid,
  campaign_id uuid,
  assistant_id uuid,
  script jsonb NOT NULL,
  metadata jsonb NOT NULL,
  reason text,
  attempts integer NOT NULL DEFAULT 0,
  -- How often in a row it could not be handed over; for the backoff.
  failures integer NOT NULL DEFAULT 0,
  needs_review boolean NOT NULL DEFAULT false,
  answered_by text,
  duration integer,
  price_micros bigint,
  summary text,
  transcript text,
  turns jsonb,
  -- The provider's; copied by a job of its own.
  recording_source text,
  recording_type text,
  recording_size bigint,
  recorded boolean NOT NULL DEFAULT false,
  scheduled_at timestamptz,
  -- When it may be placed; NULL while its campaign has not released it.
  due_at timestamptz,
  -- When its message was last sent.
  rung_at timestamptz,
  -- The claim: a fencing token, and a lease by the database's clock.
  epoch bigint NOT NULL DEFAULT 0,
  claimed_until timestamptz,
  claimed_by text,
  started_at timestamptz,
  ended_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT calls_campaign_id_contact_id_key UNIQUE (campaign_id, contact_id)
);
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
  id uuid NOT NULL CONSTRAINT attempts_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  call_id uuid NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
  number integer NOT NULL,
  epoch bigint NOT NULL,
  state text NOT NULL,
  lease_until timestamptz NOT NULL,
  rule_version integer NOT NULL,
  provider_call_id text,
  message text,
  -- The provider's last word on it, as it came.
  raw jsonb,
  lookups integer NOT NULL DEFAULT 0,
  lookup_at timestamptz,
  sent_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
-- One live attempt for each call: the database's own word on "nobody is dialed twice".
CREATE UNIQUE INDEX attempts_call_id_key ON attempts (call_id) WHERE state IN ('intent', 'sent', 'accepted', 'unknown');
CREATE INDEX attempts_call ON attempts (call_id, number);
CREATE INDEX attempts_provider ON attempts (provider_call_id) WHERE provider_call_id IS NOT NULL;
CREATE INDEX attempts_lease ON attempts (lease_until) WHERE state IN ('intent', 'sent');
CREATE INDEX attempts_lookup ON attempts (lookup_at) WHERE lookup_at IS NOT NULL;

CREATE TABLE call_events (
  id uuid NOT NULL CONSTRAINT call_events_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  call_id uuid NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
  status text NOT NULL,
  cause text NOT NULL,
  detail text,
  attempt integer,
  at timestamptz NOT NULL
);
CREATE INDEX call_events_page ON call_events (organisation_id, call_id, id);

CREATE TABLE suppressions (
  organisation_id uuid NOT NULL,
  phone_number text NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT suppressions_key PRIMARY KEY (organisation_id, phone_number)
);

-- Incoming webhooks that were taken, so that a repeated one changes nothing.
CREATE TABLE webhook_inbox (
  event_key bytea NOT NULL CONSTRAINT webhook_inbox_event_key_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  received_at timestamptz NOT NULL
);
CREATE INDEX webhook_inbox_age ON webhook_inbox (received_at);

-- The platform's pace: one row, taken and given back in the transactions that claim and finish calls.
CREATE TABLE pacing (
  name text NOT NULL CONSTRAINT pacing_name_key PRIMARY KEY,
  active bigint NOT NULL,
  next_at timestamptz NOT NULL
);
INSERT INTO pacing VALUES ('platform', 0, now());

-- What the live stream shows. Rows become visible in the order of commits, not of `seq`; `transaction` lets a reader
-- wait until everything before is decided.
CREATE TABLE stream_events (
  seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT stream_events_seq_key PRIMARY KEY,
  transaction bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
  organisation_id uuid NOT NULL,
  kind text NOT NULL,
  subject_id uuid NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX stream_events_page ON stream_events (organisation_id, transaction, seq);
CREATE INDEX stream_events_age ON stream_events (at);
