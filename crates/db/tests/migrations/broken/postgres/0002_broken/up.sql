CREATE TABLE second (id integer PRIMARY KEY);
CREATE TABEL third (id integer);
