-- The rules of a connection, on its private database. A higher position is tried first.
CREATE TABLE rule (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, json TEXT NOT NULL);
