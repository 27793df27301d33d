DROP TABLE assignments;
DROP TABLE accounts;
DROP TABLE organisations;
