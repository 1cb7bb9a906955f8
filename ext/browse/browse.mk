# stacchip browse: its sources, and its page inside the program. ext/browse/page/page.mk makes PAGE_BUILT of the page's
# own files; vendor.sh fetches what the page takes from others into the same folder.
BROWSE_SRC := $(sort $(wildcard ext/browse/*.c))
BROWSE_PKGS := libmicrohttpd
PAGE := build/gen/page
# Packages as npm's registry gives them: they may be laid here for a build without a network.
PAGE_CACHE ?= build/vendor
PAGE_VENDORED := $(addprefix $(PAGE)/,leaflet.js leaflet.css world.json licenses.txt)
PAGE_BUILT :=
-include ext/browse/page/page.mk

$(PAGE)/.vendored: ext/browse/page/package-lock.json ext/browse/vendor.sh
	@mkdir -p $(@D)
	@ext/browse/vendor.sh $< $(PAGE_CACHE) $(@D) && touch $@
$(PAGE)/files.c: ext/browse/embed.sh ext/browse/browse.mk $(PAGE)/.vendored $(PAGE_BUILT)
	@ext/browse/embed.sh $(PAGE_BUILT) $(PAGE_VENDORED) >$@.tmp && mv $@.tmp $@
PAGE_OBJ := $(B)/static/$(PAGE)/files.o
$(PAGE_OBJ): $(PAGE)/files.c
.PHONY: clean-page
clean-page:
	rm -rf $(PAGE) build/*/static/$(PAGE)
