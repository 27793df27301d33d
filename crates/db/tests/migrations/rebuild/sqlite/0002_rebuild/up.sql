CREATE TABLE new_parents (id integer PRIMARY KEY, name text);
INSERT INTO new_parents (id) SELECT id FROM parents;
DROP TABLE parents;
ALTER TABLE new_parents RENAME TO parents;
