ALTER TABLE parents ADD COLUMN name text;
