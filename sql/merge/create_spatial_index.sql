SELECT CreateSpatialIndex(?1, 'geometry')
