SELECT InsertEpsgSrid(4326)
