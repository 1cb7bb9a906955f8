-- From version 2 to 3: blocks have boxes that earlier programs cannot read; those that are there are written anew as they change.
INSERT OR REPLACE INTO "{db}"."{name}_config"(key, value) VALUES ('version', 3);
