#!/bin/sh
# embed.sh FILE...: C that holds those of the files that are there, for page_file.h. The assembler takes their bytes: a
# megabyte as an array of numbers would cost the compiler seconds.
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
echo '#include "browse/page_file.h"'
i=0
for f; do
  [ -s "$f" ] || continue
  printf '__asm__(".section .rodata\\n.balign 16\\npage_file_%s:\\n.incbin \\"%s\\"\\npage_file_%s_end:\\n.byte 0\\n.previous");\n' $i "$f" $i
  printf 'extern const char page_file_%s[] __attribute__((visibility("hidden")));\n' $i
  i=$((i + 1))
done
echo 'const struct sc_page_file sc_page_files[] = {'
i=0
for f; do
  [ -s "$f" ] || continue
  printf '    {"%s", "%s", page_file_%s, %s},\n' "${f##*/}" "$(type_of "$f")" $i "$(wc -c <"$f" | tr -d ' ')"
  i=$((i + 1))
done
echo '    {0, 0, 0, 0}};'
