# make bundle: docs/bundle.md, packages/bundle/make.sh.
#: make bundle        self-contained build in build/bundle, from Debian's sources in a tree of Debian 11: root, debootstrap, 40 minutes the first time
#: make test-bundle   the suite with it; make deps-bundle: the other GDALs that it is tested beside
BUNDLE_WORK ?= build/bundle-work
DEPS_BUNDLE := debootstrap binutils python3-gdal python3-rasterio
.PHONY: bundle test-bundle deps-bundle
bundle: $(SQL_GEN) $(PAGE)/files.c
	@packages/bundle/make.sh $(BUNDLE_WORK) build/bundle
deps-bundle:
	@tests/support/deps.sh $(DEPS_BUNDLE)
# What a bundle does not have (the static library, make install) is said and skipped; unit tests are of the sources.
test-bundle: all unit build/release/make_scene
	@[ -f build/bundle/stacchip.so ] || { echo 'test-bundle: no build/bundle; make bundle' >&2; exit 1; }
	@VARIANT=bundle tests/run $(T)

# The objects of the program, for packages/bundle/link.sh.
.PHONY: print-cli
print-cli:
	@echo $(CLI_OBJ)
