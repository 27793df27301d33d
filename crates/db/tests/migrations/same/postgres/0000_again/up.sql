CREATE TABLE again (id integer PRIMARY KEY);
