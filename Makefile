# stacchip: build, test, bench, install. `make help` lists the targets.
.DEFAULT_GOAL := all
SHELL := /bin/bash

CC ?= cc
CLANG ?= clang
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
VARIANT ?= release
B := build/$(VARIANT)
VERSION := $(shell sed -n 's/^\#define STACCHIP_VERSION "\(.*\)"/\1/p' include/stacchip.h)
SHARED ?= $(abspath ../shared)

OPT_release := -O2 -g
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -DSC_NO_DEEPBIND
OPT_coverage := -O0 -g --coverage
LINK_asan := -fsanitize=address,undefined
LINK_coverage := --coverage

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wno-sign-conversion -Wno-overlength-strings
CPPFLAGS += -Iext -Iinclude -Ibuild/gen -D_GNU_SOURCE -MMD -MP
CFLAGS_ALL = -std=c11 $(WARN) -fvisibility=hidden -fPIC -pthread $(OPT_$(VARIANT)) $(CFLAGS)
LDFLAGS_ALL = $(LINK_$(VARIANT)) -pthread $(LDFLAGS)

# pkg-config names: what each object links. stacchip.so never links GDAL, PROJ, libtiff,
# libcurl or SpatiaLite: they live in stacchip_raster.so (see ext/raster/raster_api.h).
CORE_PKGS := libcjson libzstd snappy zlib libbrotlidec liblz4
RASTER_PKGS := gdal proj libtiff-4 libdeflate libzstd libcurl libcjson
pkgs = $(shell pkg-config $(1) $(2) 2>/dev/null)
GDAL_CFLAGS = $(patsubst -I%,-isystem %,$(call pkgs,--cflags,$(RASTER_PKGS)))

BASE_SRC := $(sort $(wildcard ext/base/*.c))
RASTER_SRC := $(sort $(filter-out ext/raster/load.c,$(wildcard ext/raster/*.c)) $(wildcard ext/http/*.c))
CORE_SRC := $(sort $(wildcard ext/*.c) ext/raster/load.c $(wildcard ext/stac/*.c ext/index/*.c ext/pixels/*.c ext/merge/*.c ext/parquet/*.c))
CLI_SRC := $(sort $(wildcard ext/cli/*.c))
SQL_SRC := $(sort $(wildcard sql/*.sql sql/*/*.sql))
SQL_GEN := $(SQL_SRC:%.sql=build/gen/%.h)

obj = $(patsubst %.c,$(B)/$(1)/%.o,$(2))
CORE_OBJ := $(call obj,so,$(BASE_SRC) $(CORE_SRC))
RASTER_OBJ := $(call obj,so,$(BASE_SRC) $(RASTER_SRC))
STATIC_OBJ := $(call obj,static,$(BASE_SRC) $(CORE_SRC))
CLI_OBJ := $(call obj,static,$(CLI_SRC))
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
	@awk -v name=$(subst /,_,$*) -v path=$< -f sql/embed.awk $< >$@.tmp && mv $@.tmp $@

$(B)/so/%.o: %.c | $(SQL_GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) $(if $(filter ext/raster/% ext/http/%,$<),$(GDAL_CFLAGS)) -c -o $@ $<
$(B)/static/%.o: %.c | $(SQL_GEN)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DSQLITE_CORE $(CFLAGS_ALL) -c -o $@ $<

$(B)/stacchip.so: $(CORE_OBJ)
	$(CC) -shared $(LDFLAGS_ALL) -o $@ $^ $(call pkgs,--libs,$(CORE_PKGS)) -lm -ldl
$(B)/stacchip_raster.so: $(RASTER_OBJ)
	$(CC) -shared $(LDFLAGS_ALL) -o $@ $^ $(call pkgs,--libs,$(RASTER_PKGS)) -lm
$(B)/libstacchip.a: $(STATIC_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
CORE_LIBS = $(call pkgs,--libs,$(CORE_PKGS)) -lsqlite3 -lm -ldl
$(B)/stacchip: $(CLI_OBJ) $(B)/libstacchip.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CORE_LIBS)

# Unit tests: one program per file in ext/, linked with the static library.
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)
$(B)/tests/%: tests/unit/%.c tests/support/check.c $(B)/libstacchip.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/support -DSQLITE_CORE $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< tests/support/check.c $(B)/libstacchip.a $(CORE_LIBS)

-include $(wildcard $(B)/*/ext/*.d $(B)/*/ext/*/*.d $(B)/tests/*.d)
-include tests/tests.mk
