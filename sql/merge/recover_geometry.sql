SELECT RecoverGeometryColumn(?1, 'geometry', 4326, 'MULTIPOLYGON', 'XY')
