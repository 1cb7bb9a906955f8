#!/bin/sh
# embed.sh FILE...: C that holds those of the files that are there, for page_file.c, packed by gzip: the outline of the world
# would be 0.75 MB of a program that people download. The assembler takes their bytes: as an array of numbers they would cost
# the compiler seconds.
type_of() {
  case $1 in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.json) echo 'application/json' ;;
    *.svg) echo 'image/svg+xml' ;;
    *) echo 'text/plain; charset=utf-8' ;;
  esac
}
echo '#include "browse/page_packed.h"'
i=0
for f; do
  [ -s "$f" ] || continue
  gzip -9nc "$f" >"$f.gz" || exit 1
  printf '__asm__(".section .rodata\\n.balign 16\\npage_file_%s:\\n.incbin \\"%s.gz\\"\\n.previous");\n' $i "$f"
  printf 'extern const char page_file_%s[] __attribute__((visibility("hidden")));\n' $i
  i=$((i + 1))
done
echo 'const struct sc_page_packed sc_pages_packed[] = {'
i=0
for f; do
  [ -s "$f" ] || continue
  printf '    {"%s", "%s", page_file_%s, %s, %s},\n' "${f##*/}" "$(type_of "$f")" $i $(($(wc -c <"$f.gz"))) $(($(wc -c <"$f")))
  i=$((i + 1))
done
echo '    {0, 0, 0, 0, 0}};'
