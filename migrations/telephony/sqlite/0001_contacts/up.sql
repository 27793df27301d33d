CREATE TABLE contacts (
  id BLOB NOT NULL CONSTRAINT contacts_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  name TEXT NOT NULL,
  -- The beginning of the folded name, which lists are ordered by.
  sort_name TEXT NOT NULL,
  -- Name, number and address, folded.
  search TEXT NOT NULL,
  phone_number TEXT NOT NULL,
  email TEXT,
  tags TEXT NOT NULL,
  metadata TEXT NOT NULL,
  import_id BLOB,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CONSTRAINT contacts_organisation_id_phone_number_key UNIQUE (organisation_id, phone_number)
) STRICT;
CREATE INDEX contacts_page ON contacts (organisation_id, id);
CREATE INDEX contacts_page_name ON contacts (organisation_id, sort_name, id);

-- The tags of contacts once more, for finding contacts by them.
CREATE TABLE contact_tags (
  organisation_id BLOB NOT NULL,
  tag TEXT NOT NULL,
  contact_id BLOB NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
  CONSTRAINT contact_tags_key PRIMARY KEY (organisation_id, tag, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_tags_contact ON contact_tags (contact_id);

CREATE TABLE imports (
  id BLOB NOT NULL CONSTRAINT imports_id_key PRIMARY KEY,
  organisation_id BLOB NOT NULL,
  status TEXT NOT NULL,
  -- The file, and what was found out about it when it came.
  filename TEXT NOT NULL,
  storage_key TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  encoding TEXT NOT NULL,
  delimiter TEXT NOT NULL,
  layout TEXT NOT NULL,
  -- What the uploader wishes.
  default_country TEXT,
  on_duplicate TEXT NOT NULL,
  tags TEXT NOT NULL,
  -- Rows seen so far.
  total_rows INTEGER NOT NULL DEFAULT 0,
  imported_rows INTEGER NOT NULL DEFAULT 0,
  updated_rows INTEGER NOT NULL DEFAULT 0,
  duplicate_rows INTEGER NOT NULL DEFAULT 0,
  failed_rows INTEGER NOT NULL DEFAULT 0,
  sample_errors TEXT NOT NULL,
  failure TEXT,
  -- The checkpoint: the next row's place in the file as UTF-8, and its line.
  byte_offset INTEGER NOT NULL,
  line INTEGER NOT NULL,
  -- The claim: a fencing token, a lease by the database's clock, and how many claims in a row brought nothing.
  epoch INTEGER NOT NULL DEFAULT 0,
  claimed_until INTEGER,
  claimed_by TEXT,
  fruitless_claims INTEGER NOT NULL DEFAULT 0,
  -- When its message was last sent.
  rung_at INTEGER NOT NULL,
  -- When the live stream last heard of it.
  streamed_at INTEGER,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  CONSTRAINT imports_rows_check CHECK (total_rows = imported_rows + updated_rows + duplicate_rows + failed_rows)
) STRICT;
CREATE INDEX imports_page ON imports (organisation_id, id);
CREATE INDEX imports_open ON imports (rung_at) WHERE status IN ('pending', 'processing');

-- The rows that were not imported, as they were.
CREATE TABLE import_errors (
  organisation_id BLOB NOT NULL,
  import_id BLOB NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
  line INTEGER NOT NULL,
  "column" TEXT NOT NULL,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  cells TEXT NOT NULL,
  CONSTRAINT import_errors_key PRIMARY KEY (import_id, line)
) STRICT, WITHOUT ROWID;
