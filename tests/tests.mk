# Test targets. tests/run collects the closing line "N passed, N failed[, N skipped]" of every
# program: build/<variant>/tests/test_* (unit), tests/sql/*.test (through the sqlite3 shell),
# tests/host/test_* (Python, Node, C hosts).
#: make check-asan    the same suite under address and undefined-behaviour sanitizers
#: make check-tsan    connections in threads of one process under ThreadSanitizer
.PHONY: test unit check-asan check-tsan
unit: $(UNIT_BIN) build/scenes/sentinel-2/item.json build/scenes/landsat-threads/item.json $(B)/embed $(B)/http_ask $(B)/resolver.so
$(B)/http_ask: tests/support/http_ask.c $(B)/libstacchip.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DSQLITE_CORE $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(B)/libstacchip.a $(CORE_LIBS)
$(B)/resolver.so: tests/support/resolver.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARN) -D_GNU_SOURCE -O1 -fPIC -shared -o $@ $<
build/scenes/sentinel-2/item.json: | build/release/make_scene
	@mkdir -p build/scenes
	build/release/make_scene sentinel-2 build/scenes/sentinel-2
build/scenes/landsat-threads/item.json: | build/release/make_scene
	@mkdir -p build/scenes
	build/release/make_scene landsat build/scenes/landsat-threads 900
# The C program of examples/, linked with the static library as its manual says.
$(B)/embed: examples/embed.c $(B)/libstacchip.a
	$(CC) -std=c11 $(WARN) -Iinclude $(OPT_$(VARIANT)) $(LDFLAGS_ALL) -o $@ $< $(B)/libstacchip.a $(CORE_LIBS)
test: deps-test
	@$(MAKE) --no-print-directory -s all unit
	@for t in node-deps s3-deps; do $(MAKE) --no-print-directory -s $$t || echo "$$t: npm failed; the tests that need it are skipped"; done
	@VARIANT=$(VARIANT) tests/run
check-asan: deps-test
	@$(MAKE) --no-print-directory -s VARIANT=release build/scenes/sentinel-2/item.json
	@$(MAKE) --no-print-directory -s VARIANT=asan all unit
	@VARIANT=asan tests/run
# C programs only: hosts such as Python are not built for it. Address randomisation is off, since
# GCC's runtime of before 2024 does not find its shadow memory with more than 28 random bits.
TSAN_TESTS := $(addprefix build/tsan/tests/,test_threads test_whole test_raster_decode test_raster_file test_raster_pool test_raster_memory)
check-tsan: deps-test
	@$(MAKE) --no-print-directory -s VARIANT=release unit
	@$(MAKE) --no-print-directory -s VARIANT=tsan all $(TSAN_TESTS)
	@for t in $(TSAN_TESTS); do echo $$t; LD_LIBRARY_PATH=build/tsan \
	  TSAN_OPTIONS="suppressions=tests/support/tsan.supp exitcode=66" setarch -R $$t || exit 1; done

# What the recipes of examples/recipes work on.
build/recipes: all build/scenes/sentinel-2/item.json
	STACCHIP_EXT=$(CURDIR)/$(B)/stacchip PYTHONPATH=tests/support /usr/bin/python3 tests/support/recipe_data.py $@
.PHONY: build/recipes

# No two chips of different parts are nearer than the guard: 10 million chips.
.PHONY: check-splits
check-splits: all
	N=10000000 tests/run test_splits

# The pictures of docs/browse.md: the page at three sizes, light and dark.
#: make page-pictures the pictures of the page in docs/ (make deps-browser)
.PHONY: page-pictures
page-pictures: all node-deps
	PYTHONPATH=tests/support STACCHIP_EXT=$(CURDIR)/$(B)/stacchip /usr/bin/python3 tests/support/page_pictures.py docs/pictures

# Independent readers of our Parquet files, from npm; tests that need them skip without.
.PHONY: node-deps bench-parquet s3-deps
# An S3 server of others, from npm; its tests skip without.
s3-deps: build/node/.s3rver
build/node/.s3rver:
	@mkdir -p build/node
	npm install --prefix build/node --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=30000 s3rver@3.7.1
	@touch $@
node-deps: tests/host/node/node_modules/.installed
tests/host/node/node_modules/.installed: tests/host/node/package.json
	cd tests/host/node && npm install --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=30000
	@touch $@

$(B)/bench/%: tests/bench/%.c $(B)/libstacchip.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DSQLITE_CORE $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(B)/libstacchip.a $(CORE_LIBS)

# Ours and plain GDAL loops side by side, on scenes of full size (made once, 1.5 GB).
#: make bench         the benchmarks of the README, ratios side by side (BENCH=short: smaller sizes)
SCENES_FULL ?= build/scenes-full
SCENE_KINDS := sentinel-2 landsat naip modis
BENCH_SEED ?=
$(SCENES_FULL)/%/item.json: | build/release/make_scene
	@mkdir -p $(@D)
	build/release/make_scene $* $(@D) full
$(B)/bench/bench_chips $(B)/bench/bench_index $(B)/bench/bench_scale: $(B)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 $(WARN) -D_GNU_SOURCE $(GDAL_CFLAGS) -o $@ $< $(call pkgs,--libs,gdal) -lsqlite3
.PHONY: bench bench-chips bench-index bench-scale
bench-chips: all $(B)/bench/bench_chips $(SCENE_KINDS:%=$(SCENES_FULL)/%/item.json)
	STACCHIP_EXT=$(B)/stacchip $(B)/bench/bench_chips $(SCENES_FULL) $(if $(filter short,$(BENCH)),40,128) $(BENCH_SEED)
bench-index: all $(B)/bench/bench_index $(SCENE_KINDS:%=$(SCENES_FULL)/%/item.json)
	STACCHIP_EXT=$(B)/stacchip $(B)/bench/bench_index $(SCENES_FULL) $(if $(filter short,$(BENCH)),3,9)
# What threads and processes bring; on a quiet machine with many cores.
bench-scale: all $(B)/bench/bench_scale $(SCENE_KINDS:%=$(SCENES_FULL)/%/item.json)
	STACCHIP_EXT=$(B)/stacchip $(B)/bench/bench_scale $(SCENES_FULL) $(if $(filter short,$(BENCH)),64,256)
# All that the README gives figures of; what falls short of a target does not end it.
BENCHES := chips index scale merge parquet remote feed
bench:
	@short=; for b in $(BENCHES); do $(MAKE) --no-print-directory bench-$$b || short="$$short bench-$$b"; done; \
	test -z "$$short" || { echo "failed, or short of a target:$$short"; exit 1; }

# Ten bands on the grid of another zone, above decoding, beside gdalwarp.
.PHONY: bench-warp
bench-warp: all build/scenes/sentinel-2/item.json
	PYTHONPATH=tests/support STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/bench/bench_warp.py build/scenes/sentinel-2

# Chips to export; the target is set for 10000000.
BENCH_CHIPS ?= $(if $(filter short,$(BENCH)),200000,10000000)
bench-parquet: $(B)/bench/bench_parquet node-deps
	tests/bench/bench_parquet.sh $(B)/bench/bench_parquet $(BENCH_CHIPS)

# Whatever reads a stranger's bytes, by libFuzzer: tests/fuzz/fuzz_NAME.c, its committed seeds in
# tests/fuzz/seeds/NAME and, where one helps, a dictionary in tests/fuzz/NAME.dict. What a run learns
# stays in build/fuzz/corpus/NAME, what breaks in build/fuzz/NAME-*.
#: make check-fuzz    every fuzzer for FUZZ_SECONDS (30); make fuzz-NAME FUZZ_RUNS=10000000 one of them
FUZZERS := $(sort $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 30
FUZZ_RUNS ?=
MUTATIONS ?= 5000
FUZZ_CFLAGS := -D_GNU_SOURCE -DSQLITE_CORE -std=c11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_OBJ := $(sort $(patsubst %.c,build/fuzz/obj/%.o,$(BASE_SRC) $(CORE_SRC) $(RASTER_SRC)))
.PHONY: deps-fuzz fuzz check-fuzz mutate-parquet $(FUZZERS:%=fuzz-%)
deps-fuzz:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_FUZZ)
.SECONDARY: $(FUZZ_OBJ)
build/fuzz/obj/%.o: %.c | $(SQL_GEN)
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(GDAL_CFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<
build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_OBJ)
	@mkdir -p $(@D)
	$(CLANG) $(CPPFLAGS) $(GDAL_CFLAGS) -Itests/support $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJ) \
	  $(CORE_LIBS) $(call pkgs,--libs,$(RASTER_PKGS)) -pthread
$(FUZZERS:%=fuzz-%): fuzz-%: build/fuzz/fuzz_%
	@mkdir -p build/fuzz/corpus/$* tests/fuzz/seeds/$*
	ASAN_OPTIONS=allocator_may_return_null=1 $< $(if $(FUZZ_RUNS),-runs=$(FUZZ_RUNS),-max_total_time=$(FUZZ_SECONDS)) \
	  -rss_limit_mb=3000 -timeout=20 -print_final_stats=1 -artifact_prefix=build/fuzz/$*- \
	  $(if $(wildcard tests/fuzz/$*.dict),-dict=tests/fuzz/$*.dict) build/fuzz/corpus/$* tests/fuzz/seeds/$* $(FUZZ_EXTRA_$*)
# Files stay open between its runs, for which each run would be searched for leaks: once at the end is enough.
FUZZ_EXTRA_tiff := -detect_leaks=0
FUZZ_EXTRA_parquet := tests/host/stac_geoparquet
check-fuzz fuzz:
	@for f in $(FUZZERS); do $(MAKE) --no-print-directory fuzz-$$f || exit 1; done
-include $(wildcard build/fuzz/obj/ext/*.d build/fuzz/obj/ext/*/*.d build/fuzz/*.d)

# Parquet's writer and reader against random damage: `make mutate-parquet MUTATIONS=50000`.
mutate-parquet:
	$(MAKE) VARIANT=asan build/asan/tests/test_writer
	MUTATIONS=$(MUTATIONS) build/asan/tests/test_writer

# The merged index beside plain SQLite; its targets are set for 10000000 chips.
MERGE_CHIPS ?= $(if $(filter short,$(BENCH)),200000,1000000)
MERGE_FOLDER ?= /tmp
.PHONY: bench-zonal
#: make bench-zonal   statistics of parcels over a series, beside rasterio's masks
bench-zonal: all
	STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/bench/bench_zonal.py $(if $(filter short,$(BENCH)),300,2500)
.PHONY: bench-map
#: make bench-map   maps and polygons of a whole scene, their memory
bench-map: all
	STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/bench/bench_map.py $(if $(filter short,$(BENCH)),2048,10980)
.PHONY: bench-merge
bench-merge: all $(B)/bench/bench_merge
	STACCHIP_EXT=$(B)/stacchip $(B)/bench/bench_merge $(MERGE_CHIPS) $(MERGE_FOLDER)

# The page over merged indexes of 1 and 10 million chips, which are made once (2.7 GB).
#: make bench-browse  first drawing, filters and memory of stacchip browse (BENCH=short: 1 million chips)
BROWSE_CHIPS ?= $(if $(filter short,$(BENCH)),1000000,1000000 10000000)
.PHONY: bench-browse
bench-browse: all $(B)/bench/make_chips
	STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/bench/bench_browse.py $(B)/bench/make_chips build/browse $(BROWSE_CHIPS)

# Failing and good calls in random order on one connection, against fresh processes.
#: make check-caches  what errors leave behind in caches, the long form (SEED=, N= steps; VARIANT=asan)
SEED ?=
N ?= 10000
.PHONY: check-caches
check-caches: all unit
	SEED=$(SEED) N=$(N) VARIANT=$(VARIANT) tests/run test_caches

# Random writes to a merged index, against a model in Python.
#: make check-writes  random writes to a merged index, the long form (SEED=, N= steps; VARIANT=asan)
.PHONY: check-writes
check-writes: all unit
	SEED=$(SEED) N=$(N) VARIANT=$(VARIANT) tests/run test_merge_model

# The long forms of the merged index's endurance tests.
.PHONY: check-kill
check-kill: all
	STACCHIP_KILLS=200 STACCHIP_WAL_SECONDS=60 VARIANT=$(VARIANT) tests/run test_merge_robust

#: make check-fault   every allocation fails in turn, all of them (minutes; make test has a short form)
#: make check-valgrind the unit tests and the whole flow under valgrind
#: make lint          who may include whom, sizes and calls, warnings as errors, clang-tidy, cppcheck (make deps-lint)
#: make coverage      line coverage of base, index, merge and parquet by the suite
.PHONY: check-fault check-valgrind lint coverage
check-fault: all unit
	SC_FAULT_STEP=1 LD_LIBRARY_PATH=$(B) $(B)/tests/test_fault
check-valgrind: all unit
	@for t in $(filter-out %/test_fault,$(UNIT_BIN)); do \
	  LD_LIBRARY_PATH=$(B) valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
	    --errors-for-leak-kinds=definite --suppressions=tests/support/valgrind.supp $$t | tail -n 1 || exit 1; done
LINT_SRC := $(sort $(wildcard ext/*.c ext/*/*.c))
LINT_HEADERS := $(sort $(wildcard ext/*.h ext/*/*.h include/*.h))
LINT_FLAGS = -std=c11 -Iext -Iinclude -Ibuild/gen -D_GNU_SOURCE $(GDAL_CFLAGS)
LINT_JOBS ?= $(shell nproc)
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck
.PHONY: lint-tools lint-rules lint-warnings lint-tidy lint-cppcheck deps-lint
deps-lint:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_LINT)
lint-tools:
	@for tool in $(CLANG) $(CLANG_TIDY) $(CPPCHECK) python3; do command -v $$tool >/dev/null || \
	  { echo "lint: no $$tool here; 'make deps-lint' installs $(DEPS_LINT)" >&2; exit 1; }; done
lint-rules:
	@python3 tests/support/lint.py
lint-warnings: lint-tools $(SQL_GEN)
	@for cc in "$(CC)" "$(CLANG)"; do printf '%s\n' $(LINT_SRC) | \
	  xargs -P $(LINT_JOBS) -n 8 $$cc -fsyntax-only -Werror $(WARN) $(LINT_FLAGS) || exit 1; done
	@printf '%s\n' $(LINT_HEADERS) | xargs -P $(LINT_JOBS) -I{} sh -c \
	  'echo "#include \"$(CURDIR)/{}\"" | $(CC) -fsyntax-only -Werror -Wall $(LINT_FLAGS) -x c - || { echo "{} does not compile alone"; exit 1; }'
lint-tidy: lint-tools $(SQL_GEN)
	@printf '%s\n' $(LINT_SRC) | xargs -P $(LINT_JOBS) -I{} $(CLANG_TIDY) --quiet {} -- $(LINT_FLAGS) 2>&1 | \
	  awk '!/warnings? generated\.$$/ {print; n++} END {exit n > 0}'
lint-cppcheck: lint-tools $(SQL_GEN)
	@$(CPPCHECK) -j $(LINT_JOBS) --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --library=tests/support/cppcheck.cfg -Iext -Iinclude -Ibuild/gen -D_GNU_SOURCE \
	  --template='{file}:{line}: {message} [{id}]' ext
lint: lint-tools
	@failed=; for part in rules warnings tidy cppcheck; do $(MAKE) --no-print-directory -s lint-$$part || failed="$$failed $$part"; done; \
	  [ -z "$$failed" ] && echo "lint: clean" || { echo "lint: failed:$$failed" >&2; exit 1; }
coverage: deps-test
	@$(MAKE) --no-print-directory -s VARIANT=coverage all unit
	-@VARIANT=coverage tests/run >build/coverage/tests.log 2>&1; tail -n 1 build/coverage/tests.log
	@for d in base stac index merge parquet pixels; do \
	  gcov -n -o build/coverage/so/ext/$$d build/coverage/so/ext/$$d/*.o 2>/dev/null | \
	  awk -v d=$$d '/^File .ext/ {own=1} /^File .[^e]/ {own=0} /^Lines executed/ && own {split($$0,a,/[:% ]+/); n+=$$NF; c+=a[3]*$$NF/100; own=0} END {if (n) printf "%-8s %5.1f %% of %d lines\n", d, 100*c/n, n}'; done
# The long form of the tests with failing servers.
.PHONY: check-faults
check-faults: all unit
	STACCHIP_FAULTS=full VARIANT=$(VARIANT) tests/run test_remote

# Remote chips from a server that answers late, against GDAL's /vsicurl.
REMOTE_MS ?= 30
REMOTE_SCENE ?= build/scenes/sentinel-2_4500
.PHONY: bench-remote
$(B)/bench/delay_server: tests/bench/delay_server.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 $(WARN) -D_GNU_SOURCE -pthread -o $@ $<
$(B)/bench/bench_remote_gdal: tests/bench/bench_remote_gdal.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 $(WARN) -D_GNU_SOURCE -pthread $(GDAL_CFLAGS) -o $@ $< $(call pkgs,--libs,gdal)
build/scenes/sentinel-2_4500/item.json: | build/release/make_scene
	@mkdir -p $(@D)
	build/release/make_scene sentinel-2 $(@D) 4500 >/dev/null
bench-remote: all $(B)/bench/delay_server $(B)/bench/bench_remote_gdal build/scenes/sentinel-2_4500/item.json
	STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/bench/bench_remote.py $(B)/bench/delay_server $(B)/bench/bench_remote_gdal $(REMOTE_SCENE) $(REMOTE_MS)

# What training pays for its chips, beside a Dataset of rasterio's (deps-bench).
#: make bench-feed    batches in random and block order, cached, remote, with a disk cache (BENCH=short)
.PHONY: bench-feed
bench-feed: all $(B)/bench/delay_server build/scenes/sentinel-2_4500/item.json $(patsubst %,$(SCENES_FULL)/%/item.json,sentinel-2 landsat naip)
	STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/bench/bench_feed.py $(B)/bench/delay_server $(SCENES_FULL) $(REMOTE_SCENE) $(BENCH)

# What a frozen data set costs to make and to read.
#: make bench-freeze  freezing a Sentinel-2 scene, reading it back: CPU time and bytes a chip (BENCH=short)
#: make check-freeze  KILLS=50 freezes of each format, killed at random points of SEED=1 and started again, equal byte for byte
.PHONY: bench-freeze check-freeze
bench-freeze: all $(SCENES_FULL)/sentinel-2/item.json
	STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/bench/bench_freeze.py $(SCENES_FULL)/sentinel-2 $(BENCH)
check-freeze: KILLS ?= 50
check-freeze: all
	KILLS=$(KILLS) SEED=$(SEED) VARIANT=$(VARIANT) tests/run test_freeze

# Random statements against plain tables: those of make test with another seed, or more of them.
#: make check-queries  N=20000 random statements of SEED=1 on every kind of table, against plain tables
.PHONY: check-queries
N ?= 20000
SEED ?= 1
check-queries: all unit
	QUERIES=$(N) SEED=$(SEED) VARIANT=$(VARIANT) tests/run test_queries
