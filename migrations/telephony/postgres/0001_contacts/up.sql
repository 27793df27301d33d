CREATE TABLE contacts (
  id uuid NOT NULL CONSTRAINT contacts_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  name text NOT NULL,
  -- The beginning of the folded name, which lists are ordered by.
  sort_name text COLLATE "C" NOT NULL,
  -- Name, number and address, folded.
  search text NOT NULL,
  phone_number text NOT NULL,
  email text,
  tags jsonb NOT NULL,
  metadata jsonb NOT NULL,
  import_id uuid,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT contacts_organisation_id_phone_number_key UNIQUE (organisation_id, phone_number)
);
CREATE INDEX contacts_page ON contacts (organisation_id, id);
CREATE INDEX contacts_page_name ON contacts (organisation_id, sort_name, id);

-- The tags of contacts once more, for finding contacts by them.
CREATE TABLE contact_tags (
  organisation_id uuid NOT NULL,
  tag text NOT NULL,
  contact_id uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  CONSTRAINT contact_tags_key PRIMARY KEY (organisation_id, tag, contact_id)
);
CREATE INDEX contact_tags_contact ON contact_tags (contact_id);

CREATE TABLE imports (
  id uuid NOT NULL CONSTRAINT imports_id_key PRIMARY KEY,
  organisation_id uuid NOT NULL,
  status text NOT NULL,
  -- The file, and what was found out about it when it came.
  filename text NOT NULL,
  storage_key text NOT NULL,
  bytes bigint NOT NULL,
  sha256 text NOT NULL,
  encoding text NOT NULL,
  delimiter text NOT NULL,
  layout jsonb NOT NULL,
  -- What the uploader wishes.
  default_country text,
  on_duplicate text NOT NULL,
  tags jsonb NOT NULL,
  -- Rows seen so far.
  total_rows bigint NOT NULL DEFAULT 0,
  imported_rows bigint NOT NULL DEFAULT 0,
  updated_rows bigint NOT NULL DEFAULT 0,
  duplicate_rows bigint NOT NULL DEFAULT 0,
  failed_rows bigint NOT NULL DEFAULT 0,
  sample_errors jsonb NOT NULL,
  failure text,
  -- The checkpoint: the next row's place in the file as UTF-8, and its line.
  byte_offset bigint NOT NULL,
  line bigint NOT NULL,
  -- The claim: a fencing token, a lease by the database's clock, and how many claims in a row brought nothing.
  epoch bigint NOT NULL DEFAULT 0,
  claimed_until timestamptz,
  claimed_by text,
  fruitless_claims integer NOT NULL DEFAULT 0,
  -- When its message was last sent.
  rung_at timestamptz NOT NULL,
  -- When the live stream last heard of it.
  streamed_at timestamptz,
  created_at timestamptz NOT NULL,
  finished_at timestamptz,
  CONSTRAINT imports_rows_check CHECK (total_rows = imported_rows + updated_rows + duplicate_rows + failed_rows)
);
CREATE INDEX imports_page ON imports (organisation_id, id);
CREATE INDEX imports_open ON imports (rung_at) WHERE status IN ('pending', 'processing');

-- The rows that were not imported, as they were.
CREATE TABLE import_errors (
  organisation_id uuid NOT NULL,
  import_id uuid NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  line bigint NOT NULL,
  "column" text NOT NULL,
  code text NOT NULL,
  message text NOT NULL,
  cells jsonb NOT NULL,
  CONSTRAINT import_errors_key PRIMARY KEY (import_id, line)
);
