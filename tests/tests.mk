# Test targets. tests/run collects the closing line "N passed, N failed[, N skipped]" of every
# program: build/<variant>/tests/test_* (unit), tests/sql/*.test (through the sqlite3 shell),
# tests/host/test_* (Python, Node, C hosts).
#: make check-asan    the same suite under address and undefined-behaviour sanitizers
.PHONY: test unit check-asan
unit: $(UNIT_BIN) $(B)/make_scene $(B)/embed
# The C program of examples/, linked with the static library as its manual says.
$(B)/embed: examples/embed.c $(B)/libstacchip.a
	$(CC) -std=c11 $(WARN) -Iinclude $(OPT_$(VARIANT)) $(LDFLAGS_ALL) -o $@ $< $(B)/libstacchip.a $(CORE_LIBS)
test: deps-test
	@$(MAKE) --no-print-directory -s all unit
	@VARIANT=$(VARIANT) tests/run
check-asan: deps-test
	@$(MAKE) --no-print-directory -s VARIANT=release build/release/make_scene
	@$(MAKE) --no-print-directory -s VARIANT=asan all unit
	@VARIANT=asan tests/run

# Independent readers of our Parquet files, from npm; tests that need them skip without.
.PHONY: node-deps bench-parquet
node-deps: tests/host/node/node_modules/.installed
tests/host/node/node_modules/.installed: tests/host/node/package.json
	cd tests/host/node && npm install --no-audit --no-fund --silent
	@touch $@

$(B)/bench/%: tests/bench/%.c $(B)/libstacchip.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DSQLITE_CORE $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(B)/libstacchip.a $(CORE_LIBS)
# Chips to export; the target is set for 10000000.
BENCH_CHIPS ?= 10000000
bench-parquet: $(B)/bench/bench_parquet node-deps
	tests/bench/bench_parquet.sh $(B)/bench/bench_parquet $(BENCH_CHIPS)
