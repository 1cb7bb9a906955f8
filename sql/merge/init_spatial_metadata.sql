SELECT InitSpatialMetaData('NONE')
