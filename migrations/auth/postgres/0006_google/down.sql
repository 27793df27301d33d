DROP TABLE google_flows;
DROP TABLE identities;
