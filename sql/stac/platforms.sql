-- The built-in platform rules. The last one whose "match" holds is taken, so the general ones
-- stand first. In "mask" and "assets" a list within the list names alternatives: catalogues
-- call the same asset by different keys. "cloud" absent: the system knows no clouds, and the
-- fraction is NULL; '0': there are none. "bands" names the bands of a file where the item does
-- not: what is flagged as alpha there is then taken for what it is.
-- stacchip_platform lists these rules; stacchip_platform_set() adds to them and replaces them.

-- Copernicus DEM GLO-30/90: heights; nodata as the file declares it.
-- Product handbook GEO.2018-1988-2, section 4.1.
INSERT INTO rule (name, json) VALUES ('cop-dem', json_object(
  'match', 'collection LIKE ''cop-dem%''',
  'mask', json_array('data'), 'cloud', '0', 'nodata', 'nd', 'assets', json_array('data'),
  'note', 'Copernicus DEM'));

-- ESA WorldCover: classes 10 to 100, 0 is no data. Product user manual v2.0, table 4.
INSERT INTO rule (name, json) VALUES ('esa-worldcover', json_object(
  'match', 'collection LIKE ''esa-worldcover%''',
  'mask', json_array('map'), 'cloud', '0', 'nodata', 'nd OR v = 0', 'assets', json_array('map'),
  'note', 'ESA WorldCover'));

-- Esri / Impact Observatory land use and land cover: 0 no data, 10 clouds.
-- https://planetarycomputer.microsoft.com/dataset/io-lulc (class table)
INSERT INTO rule (name, json) VALUES ('io-lulc', json_object(
  'match', 'collection LIKE ''io-lulc%''',
  'mask', json_array('data'), 'cloud', 'v = 10', 'nodata', 'nd OR v = 0', 'assets', json_array('data'),
  'note', 'Impact Observatory land cover'));

-- GOES ABI L2 cloud and moisture imagery, DQF: 0 good, 1 conditionally usable, 2 out of range,
-- 3 no value, 4 focal plane too warm. GOES-R product user's guide volume 5, section 5.1.
INSERT INTO rule (name, json) VALUES ('goes-cmi', json_object(
  'match', 'collection LIKE ''goes-cmi%''',
  'mask', json_array(json_array('CMIP_DQF', 'CMIP_C01_DQF', 'CMIP_C02_DQF', 'CMIP_C03_DQF',
    'CMIP_C04_DQF', 'CMIP_C05_DQF', 'CMIP_C06_DQF', 'CMIP_C07_DQF', 'CMIP_C08_DQF', 'CMIP_C09_DQF',
    'CMIP_C10_DQF', 'CMIP_C11_DQF', 'CMIP_C12_DQF', 'CMIP_C13_DQF', 'CMIP_C14_DQF', 'CMIP_C15_DQF',
    'CMIP_C16_DQF')),
  'nodata', 'nd OR v NOT IN (0, 1)',
  'assets', json_array(json_array('CMIP', 'CMIP_C01', 'CMIP_C02', 'CMIP_C03', 'CMIP_C04', 'CMIP_C05',
    'CMIP_C06', 'CMIP_C07', 'CMIP_C08', 'CMIP_C09', 'CMIP_C10', 'CMIP_C11', 'CMIP_C12', 'CMIP_C13',
    'CMIP_C14', 'CMIP_C15', 'CMIP_C16')),
  'note', 'GOES-R ABI cloud and moisture imagery, data quality flags'));

-- PlanetScope and SkySat UDM: bit 0 blackfill, bit 1 cloud covered.
-- Planet imagery product specifications, "Unusable data mask file".
INSERT INTO rule (name, json) VALUES ('planet-udm', json_object(
  'match', '(constellation IN (''planetscope'', ''skysat'') OR platform IN (''planetscope'', ''skysat'')) '
    || 'AND EXISTS (SELECT 1 FROM json_each(assets) WHERE key = ''udm'')',
  'mask', json_array('udm'), 'cloud', 'v & 2', 'nodata', 'v & 1', 'assets', json_array('analytic'),
  'note', 'Planet imagery with a UDM'));

-- NAIP: no mask; every pixel counts. Four bands: red, green, blue, near infrared.
INSERT INTO rule (name, json) VALUES ('naip', json_object(
  'match', 'collection LIKE ''naip%'' OR id GLOB ''*m_[0-9][0-9][0-9][0-9][0-9][0-9][0-9]_[ns][ew]_[0-9]*''',
  'cloud', '0', 'nodata', '0', 'assets', json_array(json_array('image', 'asset', 'data')),
  'bands', json_array('red', 'green', 'blue', 'nir'),
  'note', 'National Agriculture Imagery Program'));

-- LINZ (Toitu Te Whenua) aerial imagery: black is outside the flight lines. The asset is called
-- "asset" in items that the Python package wrote.
INSERT INTO rule (name, json) VALUES ('linz', json_object(
  'match', 'assets LIKE ''%nz-imagery%'' OR collection LIKE ''linz%'' OR properties LIKE ''%"linz:%'' '
    || 'OR (collection GLOB ''0[0-9A-HJKMNP-TV-Z]*'' AND length(collection) = 26 '
    || 'AND EXISTS (SELECT 1 FROM json_each(assets) WHERE key = ''visual''))',
  'mask', json_array(json_array('visual', 'asset')), 'cloud', '0', 'nodata', 'nd OR v = 0',
  'assets', json_array(json_array('visual', 'asset')),
  'note', 'LINZ aerial imagery'));

-- Sentinel-1 GRD: amplitude, 0 outside the swath (product specification S1-RS-MDA-52-7441).
INSERT INTO rule (name, json) VALUES ('sentinel-1-grd', json_object(
  'match', 'collection LIKE ''sentinel%1%grd%'' OR id LIKE ''S1__\_%\_GRD%'' ESCAPE ''\''',
  'mask', json_array(json_array('vv', 'hh')), 'cloud', '0', 'nodata', 'nd OR v = 0',
  'assets', json_array(json_array('vv', 'hh'), json_array('vh', 'hv')),
  'note', 'Sentinel-1 ground range detected'));

-- Sentinel-1 RTC: linear power, nodata as the file declares it. Radar sees through clouds.
INSERT INTO rule (name, json) VALUES ('sentinel-1-rtc', json_object(
  'match', 'collection LIKE ''sentinel%1%rtc%''',
  'mask', json_array(json_array('vv', 'gamma0_vv', 'hh')), 'cloud', '0', 'nodata', 'nd',
  'assets', json_array(json_array('vv', 'gamma0_vv', 'hh'), json_array('vh', 'gamma0_vh', 'hv')),
  'note', 'Sentinel-1 radiometrically terrain corrected'));

-- MODIS 8-day snow, 10A2: 50 cloud; 0 missing, 1 no decision, 11 night, 254 saturated, 255 fill.
-- MODIS snow products collection 6.1 user guide, table for MxD10A2.
INSERT INTO rule (name, json) VALUES ('modis-10a2', json_object(
  'match', 'collection LIKE ''modis-10A2%'' OR id LIKE ''M_D10A2.%''',
  'mask', json_array('Maximum_Snow_Extent'), 'cloud', 'v = 50', 'nodata', 'v IN (0, 1, 11, 254, 255)',
  'assets', json_array('Maximum_Snow_Extent'),
  'note', 'MODIS maximum snow extent'));

-- MODIS vegetation indices, 13A1/13Q1: pixel reliability -1 fill, 0 good, 1 marginal, 2 snow,
-- 3 cloudy. MODIS vegetation index user's guide collection 6.1, table 4.
INSERT INTO rule (name, json) VALUES ('modis-13', json_object(
  'match', 'collection LIKE ''modis-13%'' OR id LIKE ''M_D13__.%''',
  'mask', json_array(json_array('500m_16_days_pixel_reliability', '250m_16_days_pixel_reliability')),
  'cloud', 'v = 3', 'nodata', 'nd OR v IN (-1, 255)',
  'assets', json_array(json_array('500m_16_days_NDVI', '250m_16_days_NDVI'),
    json_array('500m_16_days_EVI', '250m_16_days_EVI')),
  'note', 'MODIS vegetation indices'));

-- MODIS surface reflectance, 09Q1: bits 0-1 as in 09A1, below.
INSERT INTO rule (name, json) VALUES ('modis-09q1', json_object(
  'match', 'collection LIKE ''modis-09Q1%'' OR id LIKE ''M_D09Q1.%''',
  'mask', json_array('sur_refl_qc_250m'), 'cloud', '(v & 3) = 2', 'nodata', '(v & 3) = 3',
  'assets', json_array('sur_refl_b01', 'sur_refl_b02'),
  'note', 'MODIS surface reflectance 250 m'));

-- The Python package's reading of 09A1: value 1, "less than ideal", as cloud. By name only.
INSERT INTO rule (name, json) VALUES ('modis-clay-v1', json_object(
  'mask', json_array('sur_refl_qc_500m'), 'cloud', '(v & 3) = 1', 'nodata', '(v & 3) = 3',
  'assets', json_array('sur_refl_b01', 'sur_refl_b02', 'sur_refl_b03', 'sur_refl_b04', 'sur_refl_b05',
    'sur_refl_b06', 'sur_refl_b07'),
  'note', 'MODIS 09A1 as the Python package stacchip reads its quality bits'));

-- MODIS surface reflectance 8-day, 09A1. Bits 0-1 of the band quality: 0 ideal, 1 less than
-- ideal, 2 not produced due to cloud, 3 not produced for other reasons.
-- MODIS surface reflectance user's guide collection 6, table 10.
INSERT INTO rule (name, json) VALUES ('modis', json_object(
  'match', 'collection LIKE ''modis-09A1%'' OR id LIKE ''M_D09A1.%''',
  'mask', json_array('sur_refl_qc_500m'), 'cloud', '(v & 3) = 2', 'nodata', '(v & 3) = 3',
  'assets', json_array('sur_refl_b01', 'sur_refl_b02', 'sur_refl_b03', 'sur_refl_b04', 'sur_refl_b05',
    'sur_refl_b06', 'sur_refl_b07'),
  'note', 'MODIS surface reflectance 500 m'));

-- Digital Earth Australia and Africa Landsat ARD: fmask 0 nodata, 1 clear, 2 cloud, 3 shadow,
-- 4 snow, 5 water. https://docs.dea.ga.gov.au (DEA Surface Reflectance, oa_fmask).
INSERT INTO rule (name, json) VALUES ('dea-ard', json_object(
  'match', 'EXISTS (SELECT 1 FROM json_each(assets) WHERE key IN (''oa_fmask'', ''fmask'')) '
    || 'AND (properties LIKE ''%"dea:%'' OR collection LIKE ''ga\_%'' ESCAPE ''\'')',
  'mask', json_array(json_array('oa_fmask', 'fmask')), 'cloud', 'v IN (2, 3)', 'nodata', 'v = 0',
  'assets', json_array(json_array('nbart_red', 'nbart_red_1'), 'nbart_green', 'nbart_blue',
    json_array('nbart_nir', 'nbart_nir_1'), json_array('nbart_swir_1', 'nbart_swir_2'),
    json_array('nbart_swir_2', 'nbart_swir_3')),
  'note', 'Digital Earth Australia analysis ready data'));

-- HLS L30 and S30, Fmask: bit 1 cloud, bit 3 cloud shadow, 255 fill.
-- HLS product user guide v2.0, table 9.
INSERT INTO rule (name, json) VALUES ('hls', json_object(
  'match', 'collection LIKE ''hls%'' OR id LIKE ''HLS.%''',
  'mask', json_array(json_array('Fmask', 'fmask')), 'cloud', 'v <> 255 AND v & 10', 'nodata', 'v = 255',
  'assets', json_array('blue', 'green', 'red', json_array('nir_narrow', 'nir08', 'B8A', 'B05'),
    json_array('swir16', 'swir_1'), json_array('swir22', 'swir_2')),
  'note', 'Harmonized Landsat Sentinel-2'));

-- Landsat Collection 2, QA_PIXEL: bit 0 fill, bit 1 dilated cloud, bit 3 cloud, bit 4 shadow.
-- LSDS-1619 (Landsat 8-9 C2 L2 science product guide), table 6-3; LSDS-1618 for 4-7.
INSERT INTO rule (name, json) VALUES ('landsat-c2l1', json_object(
  'match', 'collection LIKE ''landsat%c2%l1%'' OR id GLOB ''L[COTEM]0[1-9]_L1[A-Z][A-Z]_*''',
  'mask', json_array(json_array('qa_pixel', 'QA_PIXEL', 'QA_PIXEL.TIF')), 'cloud', 'v & 26', 'nodata', 'v & 1',
  'assets', json_array('red', 'green', 'blue', 'nir08', 'swir16', 'swir22'),
  'note', 'Landsat Collection 2 Level-1'));
INSERT INTO rule (name, json) VALUES ('landsat-c2l1-mss', json_object(
  'match', 'id GLOB ''LM0[1-5]_L1[A-Z][A-Z]_*''',
  'mask', json_array(json_array('qa_pixel', 'QA_PIXEL', 'QA_PIXEL.TIF')), 'cloud', 'v & 8', 'nodata', 'v & 1',
  'assets', json_array('green', 'red', 'nir08', 'nir09'),
  'note', 'Landsat Collection 2 Level-1, multispectral scanner: QA_PIXEL has fill and cloud only'));
INSERT INTO rule (name, json) VALUES ('landsat-c2l2-st', json_object(
  'match', 'collection LIKE ''landsat%c2%l2%st''',
  'mask', json_array(json_array('qa_pixel', 'QA_PIXEL', 'QA_PIXEL.TIF')), 'cloud', 'v & 26', 'nodata', 'v & 1',
  'assets', json_array(json_array('lwir11', 'lwir', 'ST_B10', 'ST_B10.TIF', 'ST_B6', 'ST_B6.TIF')),
  'note', 'Landsat Collection 2 Level-2 surface temperature'));
INSERT INTO rule (name, json) VALUES ('landsat-c2l2-sr', json_object(
  'match', '(collection LIKE ''landsat%c2%l2%'' AND collection NOT LIKE ''%st'') '
    || 'OR (id GLOB ''L[COTE]0[1-9]_L2S[RP]_*'' AND collection NOT LIKE ''landsat%l2%st'')',
  'mask', json_array(json_array('qa_pixel', 'QA_PIXEL', 'QA_PIXEL.TIF')), 'cloud', 'v & 26', 'nodata', 'v & 1',
  'assets', json_array('red', 'green', 'blue', 'nir08', 'swir16', 'swir22'),
  'note', 'Landsat Collection 2 Level-2 surface reflectance'));

-- Sentinel-2 Level-1C has no scene classification: clouds unknown; 0 is outside the swath.
-- Sentinel-2 products specification document S2-PDGS-TAS-DI-PSD.
INSERT INTO rule (name, json) VALUES ('sentinel-2-l1c', json_object(
  'match', 'collection LIKE ''sentinel%2%l1c%'' OR id LIKE ''S2__\_MSIL1C%'' ESCAPE ''\'' OR id LIKE ''S2_\_%L1C%'' ESCAPE ''\''',
  'mask', json_array(json_array('coastal', 'B01')), 'nodata', 'nd OR v = 0',
  'assets', json_array(json_array('blue', 'B02'), json_array('green', 'B03'), json_array('red', 'B04'),
    json_array('rededge1', 'B05'), json_array('rededge2', 'B06'), json_array('rededge3', 'B07'),
    json_array('nir', 'B08'), json_array('nir08', 'B8A'), json_array('swir16', 'B11'), json_array('swir22', 'B12')),
  'note', 'Sentinel-2 Level-1C'));

-- Sentinel-2 Level-2A, SCL: 0 no data, 1 saturated or defective, 3 cloud shadow, 8 and 9 cloud
-- of medium and high probability, 10 thin cirrus. Sen2Cor L2A product definition document,
-- table 3; the choice of classes is the Python package's.
INSERT INTO rule (name, json) VALUES ('sentinel-2-l2a', json_object(
  'match', '(constellation LIKE ''sentinel%2'' OR platform LIKE ''sentinel%2_'' OR collection LIKE ''sentinel%2%l2a%'' '
    || 'OR collection LIKE ''s2\_l2a%'' ESCAPE ''\'' OR id LIKE ''S2_\_%L2A%'' ESCAPE ''\'') '
    || 'AND EXISTS (SELECT 1 FROM json_each(assets) WHERE lower(key) LIKE ''scl%'')',
  'mask', json_array(json_array('scl', 'SCL', 'SCL_20m', 'scl_20m')),
  'cloud', 'v IN (1, 3, 8, 9, 10)', 'nodata', 'v = 0',
  'assets', json_array(json_array('blue', 'B02', 'B02_10m'), json_array('green', 'B03', 'B03_10m'),
    json_array('red', 'B04', 'B04_10m'), json_array('rededge1', 'B05', 'B05_20m'),
    json_array('rededge2', 'B06', 'B06_20m'), json_array('rededge3', 'B07', 'B07_20m'),
    json_array('nir', 'B08', 'B08_10m'), json_array('nir08', 'B8A', 'B8A_20m'),
    json_array('swir16', 'B11', 'B11_20m'), json_array('swir22', 'B12', 'B12_20m')),
  'note', 'Sentinel-2 Level-2A'));
