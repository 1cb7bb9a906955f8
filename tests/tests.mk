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
