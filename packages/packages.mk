# Packages: each is made of a folder laid out as the bundle is, BUNDLE. Where there is no bundle it is the ordinary build,
# whose packages need this system's libraries.
#: make wheel npm     packages for Python and Node out of BUNDLE (build/bundle where it is, else the ordinary build)
#: make release       all that a release has, with checksums, in build/packages; make package-sizes shows it
#: make deb           Debian packages for this system, in build/deb
#: make check-packages each in empty trees of Debian 12 and 13: as root, with debootstrap, 10 minutes and 6 GB
#: make aarch64       cross-compiles for arm64 and runs its unit tests under qemu-user
BUNDLE ?= $(if $(wildcard build/bundle/stacchip.so),build/bundle,build/plain)
PACKAGES ?= build/packages
out = $(call quote,$(PACKAGES))
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date -r CHANGELOG.md +%s)
export SOURCE_DATE_EPOCH

.PHONY: wheel npm archive release deb package-sizes check-packages
# The ordinary build, laid out as a bundle. Without debugging sections, and the build's number that follows from them, no path of
# the folder it was built in is left: two builds have the same bytes.
build/plain: build/plain/stacchip.so
build/plain/stacchip.so: build/release/stacchip.so build/release/stacchip_raster.so build/release/stacchip LICENSE
	@rm -rf build/plain && mkdir -p build/plain/licenses
	for f in stacchip.so stacchip_raster.so stacchip; do strip --strip-unneeded -R .note.gnu.build-id -o build/plain/$$f build/release/$$f || exit 1; done
	install -m 644 LICENSE build/plain/licenses/stacchip

wheel: $(BUNDLE)
	@mkdir -p $(out) && rm -f $(out)/*.whl
	@python3 packages/python/make_wheel.py $(BUNDLE) $(VERSION) $(out)

# The machine's name is Node's. A package has no links, so that what is one in the bundle is copied.
NPM_TREE := build/npm
npm: $(BUNDLE)
	@command -v npm >/dev/null || { echo 'npm: there is none; apt install npm' >&2; exit 1; }
	@rm -rf $(NPM_TREE) $(out)/*.tgz && mkdir -p $(NPM_TREE) $(out)
	@cp -R packages/npm/stacchip packages/npm/stacchip-linux-x64 $(NPM_TREE)
	@cp -RL $(BUNDLE)/. $(NPM_TREE)/stacchip-linux-x64 && rm -f $(NPM_TREE)/stacchip-linux-x64/stacchip
	@for p in stacchip stacchip-linux-x64; do cp LICENSE $(NPM_TREE)/$$p && sed -i 's/"0\.0\.0"/"$(VERSION)"/' $(NPM_TREE)/$$p/package.json && \
	  npm pack --silent --pack-destination $(out) ./$(NPM_TREE)/$$p >/dev/null || exit 1; done
	@ls $(out)/*.tgz

# The loadable archive has no folders, since sqlpkg makes none when it unpacks: proj.db beside the libraries is found, too, and
# licenses are one file. RELEASE_URL is where a release will lie; "." installs from the
# folder itself.
RELEASE_URL ?= .
MACHINE := $(shell uname -m)
ARCHIVE := stacchip-$(VERSION)-loadable-linux-$(MACHINE).tar.gz
REPRODUCIBLE_TAR := tar --sort=name --format=gnu --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX
archive: $(BUNDLE)
	@rm -rf build/archive && mkdir -p build/archive $(out)
	@cp -R $(BUNDLE)/. build/archive && cp packages/release/install.sh build/archive
	@cd build/archive && { [ ! -d share/proj ] || mv share/proj/* .; } && tail -n +1 licenses/* >LICENSES && rm -rf licenses share
	@$(REPRODUCIBLE_TAR) -C build/archive -c $$(ls build/archive) | gzip -n9 >$(out)/$(ARCHIVE)
	@cp packages/release/install.sh $(out)
	@sed "s|@VERSION@|$(VERSION)|; s|@RELEASE_URL@|$(RELEASE_URL)|; s|@ARCHIVE@|$(ARCHIVE)|; s|@SHA256@|$$(sha256sum <$(out)/$(ARCHIVE) | cut -d' ' -f1)|" \
	  packages/release/sqlpkg.json.in >$(out)/sqlpkg.json
	@ls $(out)/$(ARCHIVE)

release:
	@mkdir -p $(out) && cd $(out) && rm -f *.whl *.tgz *.tar.gz install.sh sqlpkg.json SHA256SUMS
	@$(MAKE) --no-print-directory -s wheel archive npm
	@cd $(out) && sha256sum $$(ls | grep -v SHA256SUMS) >SHA256SUMS
	@$(MAKE) --no-print-directory -s package-sizes
package-sizes:
	@cd $(out) && for f in *.whl *.tgz *.tar.gz; do printf '%10d  %s\n' $$(stat -c %s $$f) $$f; done

# Debian's tools want the packaging at the top of a tree, and a tree without build products. What the page of `stacchip browse` takes
# from others is brought along: a package is built without a network.
DEB_TREE := build/deb/stacchip-$(VERSION)
deb: $(PAGE)/.vendored
	@command -v dh dpkg-buildpackage >/dev/null || { echo 'deb: apt install dpkg-dev debhelper' >&2; exit 1; }
	@rm -rf build/deb && mkdir -p $(DEB_TREE)
	@tar -c --exclude=./build --exclude=./.git --exclude=node_modules --exclude=__pycache__ --exclude='./stacchip*.so' . | tar -x -C $(DEB_TREE)
	@cp -R packages/debian $(DEB_TREE)/debian && cp -R $(PAGE_CACHE) $(DEB_TREE)/debian/vendor
	@sed "s/@VERSION@/$(VERSION)/; s/@DATE@/$$(LC_ALL=C date -uRd @$(SOURCE_DATE_EPOCH))/" packages/debian/changelog.in >$(DEB_TREE)/debian/changelog
	@rm $(DEB_TREE)/debian/changelog.in
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u CC -u VERSION dpkg-buildpackage -us -uc -b $(DEB_FLAGS)
	@ls -l build/deb/*.deb

check-packages: build/scenes/sentinel-2/item.json $(PAGE)/.vendored
	@$(MAKE) --no-print-directory -s release
	@VERSION=$(VERSION) PARTS='$(PARTS)' DEPS_BUILD='$(DEPS_BUILD)' packages/check.sh $(out) build/scenes/sentinel-2 $(SUITES)

# For arm64: against the packages of that architecture, unpacked into build/aarch64-root.
AARCH64_ROOT := build/aarch64-root
AARCH64_LIB := $(AARCH64_ROOT)/usr/lib/aarch64-linux-gnu
OPT_aarch64 := -O2 -g
OPT_RASTER_aarch64 := -O3
# Under emulation the many runs of test_fault take hours.
AARCH64_TESTS ?= $(filter-out test_fault,$(notdir $(UNIT_BIN)))
.PHONY: aarch64 aarch64-tests
$(AARCH64_ROOT)/.whole: packages/aarch64/sysroot.sh
	@rm -rf $(AARCH64_ROOT) && $< $(AARCH64_ROOT) libc6-dev $(filter lib% zlib%,$(DEPS_BUILD)) && touch $@
aarch64-tests: $(AARCH64_ROOT)/.whole
	@PKG_CONFIG_LIBDIR=$(CURDIR)/$(AARCH64_LIB)/pkgconfig:$(CURDIR)/$(AARCH64_ROOT)/usr/share/pkgconfig PKG_CONFIG_SYSROOT_DIR=$(CURDIR)/$(AARCH64_ROOT) \
	  $(MAKE) --no-print-directory -s VARIANT=aarch64 CC='aarch64-linux-gnu-gcc --sysroot=$(CURDIR)/$(AARCH64_ROOT)' AR=aarch64-linux-gnu-ar \
	  LDFLAGS='-Wl,-rpath-link,$(CURDIR)/$(AARCH64_LIB)' all $(AARCH64_TESTS:%=build/aarch64/tests/%)
	@packages/aarch64/run.sh $(AARCH64_ROOT) $(AARCH64_TESTS)
aarch64:
	@if command -v aarch64-linux-gnu-gcc apt-get >/dev/null; then $(MAKE) --no-print-directory aarch64-tests; \
	  else echo 'aarch64: skipped, there is no aarch64-linux-gnu-gcc (make deps-packages)'; fi
