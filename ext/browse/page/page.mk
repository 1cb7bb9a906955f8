# The page's own files for browse.mk: its modules as one script, and what goes as it is.
PAGE_MODULES := $(addprefix ext/browse/page/,text.js dom.js state.js scale.js world.js geometry.js where.js server.js embedded.js \
  histogram.js filters.js map.js grid.js selection.js chip.js keys.js main.js)
PAGE_BUILT := $(addprefix build/gen/page/,index.html style.css page.js)
build/gen/page/page.js: ext/browse/page/bundle.awk $(PAGE_MODULES)
	@mkdir -p $(@D)
	@awk -f $^ >$@.tmp && mv $@.tmp $@
build/gen/page/index.html build/gen/page/style.css: build/gen/page/%: ext/browse/page/%
	@mkdir -p $(@D)
	@cp $< $@
