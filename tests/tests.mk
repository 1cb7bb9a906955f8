# Test targets. tests/run collects the closing line "N passed, N failed[, N skipped]" of every
# program: build/<variant>/tests/test_* (unit), tests/sql/*.test (through the sqlite3 shell),
# tests/host/test_* (Python, Node, C hosts).
.PHONY: test unit
unit: $(UNIT_BIN)
test: all unit
	@VARIANT=$(VARIANT) tests/run
