# stacchip: build, test, bench, install. `make help` lists the targets.
.DEFAULT_GOAL := all
SHELL := /bin/bash

CC ?= cc
CLANG ?= clang
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
VARIANT ?= release
B := build/$(VARIANT)
VERSION := $(shell sed -n 's/^\#define STACCHIP_VERSION "\(.*\)"/\1/p' include/stacchip.h)
SHARED ?= $(abspath ../shared)

OPT_release := -O2 -g
# The inner loops of the block reader pay for -O3.
OPT_RASTER_release := -O3
# GCC 12's leak checker guesses the header of a dynamic TLS block and faults when it guesses wrong
# (a worker thread's block 16 bytes into a page): static TLS is found without a guess.
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -ftls-model=initial-exec -DSC_NO_DEEPBIND
OPT_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer -DSC_NO_DEEPBIND
OPT_coverage := -O0 -g --coverage
LINK_asan := -fsanitize=address,undefined
LINK_tsan := -fsanitize=thread
LINK_coverage := --coverage

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-sign-conversion -Wno-overlength-strings
CPPFLAGS += -Iext -Iinclude -Ibuild/gen -D_GNU_SOURCE -MMD -MP
CFLAGS_ALL = -std=c11 $(WARN) -fvisibility=hidden -fPIC -pthread $(OPT_$(VARIANT)) $(CFLAGS)
LDFLAGS_ALL = $(LINK_$(VARIANT)) -pthread $(LDFLAGS)

# pkg-config names: what each object links. stacchip.so never links GDAL, PROJ, libtiff,
# libcurl or SpatiaLite: they live in stacchip_raster.so (see ext/raster/raster_api.h).
CORE_PKGS := libcjson libzstd snappy zlib libbrotlidec liblz4
RASTER_PKGS := gdal proj libtiff-4 libdeflate libzstd libcurl libcrypto libcjson
pkgs = $(shell pkg-config $(1) $(2) 2>/dev/null)
GDAL_CFLAGS = $(patsubst -I%,-isystem %,$(call pkgs,--cflags,$(RASTER_PKGS)))

# Which file is in which: BASE_SRC in both shared objects (the access rules and opening are needed on
# either side), RASTER_SRC in stacchip_raster.so, CORE_SRC in stacchip.so, CLI_SRC in the program.
BASE_SRC := $(sort $(wildcard ext/base/*.c) $(addprefix ext/store/,access.c disk_cache.c open.c percent.c scheme.c secrets.c stamp.c))
RASTER_SRC := $(sort $(filter-out ext/raster/load.c,$(wildcard ext/raster/*.c)) $(wildcard ext/http/*.c))
CORE_SRC := $(sort $(wildcard ext/*.c) ext/raster/load.c ext/raster/valid.c $(filter-out $(BASE_SRC),$(wildcard ext/store/*.c)) $(wildcard ext/stac/*.c ext/index/*.c ext/pixels/*.c ext/merge/*.c ext/parquet/*.c ext/geoparquet/*.c ext/freeze/*.c))
include ext/browse/browse.mk
CLI_SRC := $(sort $(wildcard ext/cli/*.c)) $(BROWSE_SRC)
MERGE_SQL := $(sort $(wildcard sql/merge/*.sql))
SQL_SRC := $(sort $(filter-out $(MERGE_SQL),$(wildcard sql/*/*.sql)))
SQL_GEN := $(SQL_SRC:%.sql=build/gen/%.h) build/gen/sql/merge.h

obj = $(patsubst %.c,$(B)/$(1)/%.o,$(2))
CORE_OBJ := $(call obj,so,$(BASE_SRC) $(CORE_SRC))
RASTER_OBJ := $(call obj,so,$(BASE_SRC) $(RASTER_SRC))
STATIC_OBJ := $(call obj,static,$(BASE_SRC) $(CORE_SRC))
CLI_OBJ := $(call obj,static,$(CLI_SRC)) $(PAGE_OBJ)
CLI_NAMES := sentinel-1 sentinel-2 landsat naip linz modis merge-index prechip stats

.SECONDARY: $(SQL_GEN)
.PHONY: all
all: $(B)/stacchip.so $(B)/stacchip_raster.so $(B)/libstacchip.a $(if $(CLI_SRC),$(B)/stacchip)
ifeq ($(VARIANT),release)
all: stacchip.so stacchip_raster.so
stacchip.so stacchip_raster.so: %: $(B)/%
	@ln -f $< $@ 2>/dev/null || cp -f $< $@
endif

build/gen/%.h: %.sql sql/embed.awk
	@mkdir -p $(@D)
	@awk -v name=$(subst /,_,$*) -f sql/embed.awk $< >$@.tmp && mv $@.tmp $@
# All statements of the merged index, found by their enum.
build/gen/sql/merge.h: $(MERGE_SQL) sql/embed.awk
	@mkdir -p $(@D)
	@awk -v folder=merge -f sql/embed.awk $(MERGE_SQL) >$@.tmp && mv $@.tmp $@

# Without the packages the compiler would only say that a header is missing.
.PHONY: have-packages
have-packages:
	@pkg-config --exists sqlite3 $(CORE_PKGS) $(RASTER_PKGS) $(BROWSE_PKGS) || { echo 'Packages are missing: `make deps` installs them' >&2; exit 1; }

$(B)/so/%.o: %.c | $(SQL_GEN) have-packages
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) $(if $(filter ext/raster/% ext/http/%,$<),$(GDAL_CFLAGS) $(OPT_RASTER_$(VARIANT))) -c -o $@ $<
$(B)/static/%.o: %.c | $(SQL_GEN) have-packages
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DSQLITE_CORE $(CFLAGS_ALL) $(if $(filter ext/raster/% ext/http/%,$<),$(GDAL_CFLAGS)) -c -o $@ $<

CORE_SO_LIBS = $(call pkgs,--libs,$(CORE_PKGS))
RASTER_LIBS = $(call pkgs,--libs,$(RASTER_PKGS))
$(B)/stacchip.so: $(CORE_OBJ)
	$(CC) -shared $(LDFLAGS_ALL) -o $@ $^ $(CORE_SO_LIBS) -lm -ldl
$(B)/stacchip_raster.so: $(RASTER_OBJ)
	$(CC) -shared $(LDFLAGS_ALL) -o $@ $^ $(RASTER_LIBS) -lm
$(B)/libstacchip.a: $(STATIC_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
CORE_LIBS = $(CORE_SO_LIBS) -lsqlite3 -lm -ldl
CLI_LIBS = $(CORE_LIBS) $(call pkgs,--libs,$(BROWSE_PKGS))
$(B)/stacchip: $(CLI_OBJ) $(B)/libstacchip.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CLI_LIBS)

# The manual page and bash's completion, by the program that has the options.
$(B)/stacchip.1: $(B)/stacchip
	@$< --manual >$@.tmp && mv $@.tmp $@
$(B)/stacchip.bash: $(B)/stacchip
	@$< --completion >$@.tmp && mv $@.tmp $@

# The synthetic scenes of demo, tests and benchmarks.
build/release/make_scene: tests/support/make_scene.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 $(WARN) -D_GNU_SOURCE $(GDAL_CFLAGS) -o $@ $< $(call pkgs,--libs,gdal)

# What is needed, as Debian packages. `make deps` installs what is missing.
DEPS_BUILD := gcc pkg-config libsqlite3-dev libgdal-dev libproj-dev libcjson-dev libcurl4-openssl-dev libssl-dev \
  libzstd-dev libdeflate-dev libtiff-dev libsnappy-dev zlib1g-dev libbrotli-dev liblz4-dev \
  libmicrohttpd-dev curl ca-certificates sqlite3 libsqlite3-mod-spatialite
DEPS_TEST := g++ python3 python3-numpy python3-venv nginx-light gdal-bin spatialite-bin libjemalloc2 \
  $(if $(shell command -v node && command -v npm),,nodejs npm)
# Large or for comparison only; tests and benchmarks say what they leave out without them.
# 118 MB to fetch with what it needs; CI has it
DEPS_TORCH := python3-torch
DEPS_BENCH := python3-rasterio
# 300 MB with what it needs: the tests of the page of `stacchip browse`
DEPS_BROWSER := chromium fonts-dejavu-core
# For tests of packages that are skipped without; dpkg-dev and debhelper for `make deb`, the rest for check-packages and aarch64
DEPS_PACKAGES := python3-apsw python3-geopandas mypy dpkg-dev debhelper fakeroot lintian debootstrap gcc-aarch64-linux-gnu qemu-user
# The site of `make docs`; the test of it looks at it in chromium too, where that is.
DEPS_DOCS := mkdocs-material
# Languages whose pages in docs/hosts are run; 900 MB with what they need.
DEPS_HOSTS := r-cran-rsqlite golang-go golang-github-mattn-go-sqlite3-dev cargo librust-rusqlite-dev default-jdk-headless libxerial-sqlite-jdbc-java \
  php-cli php-sqlite3 ruby ruby-sqlite3 libdbd-sqlite3-perl libsqlite3-tcl
DEPS_LINT := clang clang-tidy clang-format cppcheck python3
DEPS_FUZZ := clang libclang-rt-dev
.PHONY: deps deps-test deps-torch deps-bench deps-packages deps-docs deps-hosts
deps:
	@tests/support/deps.sh $(DEPS_BUILD)
deps-test:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_TEST)
deps-torch:
	@tests/support/deps.sh $(DEPS_TORCH)
deps-bench:
	@tests/support/deps.sh $(DEPS_BENCH)
deps-browser:
	@tests/support/deps.sh $(DEPS_BROWSER)
deps-packages:
	@tests/support/deps.sh $(DEPS_BUILD) $(DEPS_PACKAGES)
deps-docs:
	@tests/support/deps.sh $(DEPS_DOCS)
deps-hosts:
	@tests/support/deps.sh $(DEPS_HOSTS)

.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory -s all build/release/make_scene
	@examples/demo.sh $(ITEM)

# The page of reference, by the extension that has the options.
.PHONY: reference
reference: all
	PYTHONPATH=tests/support STACCHIP_EXT=$(B)/stacchip /usr/bin/python3 tests/support/reference.py docs/reference.md

# The pages as a site that needs no network: open build/site/index.html.
.PHONY: docs
docs:
	@/usr/bin/python3 -c 'import mkdocs' 2>/dev/null || { echo 'mkdocs-material is missing: `make deps-docs` installs it' >&2; exit 1; }
	/usr/bin/python3 docs/site/build.py build/site

.PHONY: install uninstall
# A word for the shell, whatever is in it; the same in the .pc file, whose prefix may have blanks.
quote = '$(subst ','\'',$(1))'
to = $(call quote,$(DESTDIR)$(1))
install: all $(if $(CLI_SRC),$(B)/stacchip.1 $(B)/stacchip.bash)
	install -d $(call to,$(LIBDIR)/pkgconfig) $(call to,$(INCLUDEDIR)) $(call to,$(BINDIR))
	install -m 755 $(B)/stacchip.so $(B)/stacchip_raster.so $(call to,$(LIBDIR))
	install -m 644 $(B)/libstacchip.a $(call to,$(LIBDIR))
	install -m 644 include/stacchip.h $(call to,$(INCLUDEDIR))
	printf 'prefix=%s\nlibdir=%s\nincludedir=%s\nName: stacchip\nDescription: imagery chips in SQL\nVersion: %s\nRequires.private: sqlite3 $(CORE_PKGS)\nLibs: -L"$${libdir}" -lstacchip\nLibs.private: -lm -ldl -lpthread\nCflags: -I"$${includedir}"\n' \
	  $(call quote,$(PREFIX)) $(call quote,$(LIBDIR)) $(call quote,$(INCLUDEDIR)) '$(VERSION)' >$(call to,$(LIBDIR)/pkgconfig/stacchip.pc)
ifneq ($(CLI_SRC),)
	install -m 755 $(B)/stacchip $(call to,$(BINDIR))
	install -d $(call to,$(MANDIR)/man1) $(call to,$(COMPLETIONDIR))
	install -m 644 $(B)/stacchip.1 $(call to,$(MANDIR)/man1)
	install -m 644 $(B)/stacchip.bash $(call to,$(COMPLETIONDIR))/stacchip
	for n in $(CLI_NAMES); do ln -sf stacchip $(call to,$(BINDIR))/stacchip-$$n; ln -sf stacchip $(call to,$(COMPLETIONDIR))/stacchip-$$n; done
endif
uninstall:
	cd $(call to,$(LIBDIR)) && rm -f stacchip.so stacchip_raster.so libstacchip.a pkgconfig/stacchip.pc
	rm -f $(call to,$(INCLUDEDIR))/stacchip.h
	cd $(call to,$(BINDIR)) && rm -f stacchip $(CLI_NAMES:%=stacchip-%)
	rm -f $(call to,$(MANDIR))/man1/stacchip.1
	cd $(call to,$(COMPLETIONDIR)) && rm -f stacchip $(CLI_NAMES:%=stacchip-%)

.PHONY: clean dist format format-check help
clean:
	rm -rf build stacchip.so stacchip_raster.so
dist:
	git archive --prefix=stacchip-$(VERSION)/ -o stacchip-$(VERSION).tar.gz HEAD
FORMAT_SRC := $(wildcard ext/*.[ch] ext/*/*.[ch] include/*.h tests/*/*.[ch] examples/*.c)
format:
	clang-format -i $(FORMAT_SRC)
format-check:
	clang-format --dry-run --Werror $(FORMAT_SRC)
help:
	@sed -n 's/^#: //p' Makefile tests/tests.mk packages/packages.mk packages/bundle/bundle.mk

#: make              the extension (stacchip.so, stacchip_raster.so), libstacchip.a, the program
#: make demo         install what is missing, build, run the main job (ITEM=path or URL: on yours)
#: make test         install what is missing, build, run all tests
#: make deps         install what building needs (Debian packages); YES=1 uses sudo
#: make deps-torch   PyTorch for the tests of its examples (118 MB); make deps-bench: what the benchmarks compare with;
#:                   deps-browser: Chromium for the tests of pages; make deps-hosts: R, Go, Rust, Java ...
#: make docs         the pages of docs as a site, build/site/index.html (make deps-docs: mkdocs-material)
#: make reference    docs/reference.md, out of stacchip_help()
#: make install      into DESTDIR and PREFIX (default /usr/local); make uninstall takes it out
#: make format       format the sources; make format-check only looks
#: make dist clean

# Unit tests: one program per file in ext/, linked with the static library.
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)
$(B)/tests/%: tests/unit/%.c tests/support/check.c $(B)/libstacchip.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/support -DSQLITE_CORE $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< tests/support/check.c $(B)/libstacchip.a $(CORE_LIBS)

# Those named test_raster_*.c test the raster half: they link its objects and libraries too.
RASTER_STATIC_OBJ := $(call obj,static,$(RASTER_SRC))
$(filter $(B)/tests/test_raster_%,$(UNIT_BIN)): $(B)/tests/%: tests/unit/%.c tests/support/check.c $(RASTER_STATIC_OBJ) $(B)/libstacchip.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/support -DSQLITE_CORE $(CFLAGS_ALL) $(GDAL_CFLAGS) $(LDFLAGS_ALL) -o $@ $< tests/support/check.c $(RASTER_STATIC_OBJ) $(B)/libstacchip.a $(CORE_LIBS) $(call pkgs,--libs,$(RASTER_PKGS))

# Those named test_cli_*.c test files of the program: they link its objects too.
CLI_PARTS := $(filter-out %/main.o,$(CLI_OBJ))
$(filter $(B)/tests/test_cli_%,$(UNIT_BIN)): $(B)/tests/%: tests/unit/%.c tests/support/check.c $(CLI_PARTS) $(B)/libstacchip.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/support -DSQLITE_CORE $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< tests/support/check.c $(CLI_PARTS) $(B)/libstacchip.a $(CLI_LIBS)

include packages/bundle/bundle.mk

-include $(wildcard $(B)/*/ext/*.d $(B)/*/ext/*/*.d $(B)/tests/*.d)
-include tests/tests.mk
-include packages/packages.mk
