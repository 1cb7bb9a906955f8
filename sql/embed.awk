# embed.awk: SQL -> a C header.
#
# A script becomes one string:
#   awk -v name=sql_stac_platforms -f sql/embed.awk sql/stac/platforms.sql
# Files of a folder whose statements follow lines "-- name: chip_find" become an enum of them,
# and a table of their texts for the one file that defines SC_MERGE_STATEMENT_TEXTS:
#   awk -v folder=merge -f sql/embed.awk sql/merge/*.sql
# Each text begins with the file, and the statement, so that a trace shows where it came from.
function quoted(line) { gsub(/[\\"]/, "\\\\&", line); return "    \"" line "\\n\"\n" }
function ended(texts) { return texts == "" ? "" : substr(texts, 1, length(texts) - 1) ",\n" }

BEGIN { upper = toupper(folder) }
FNR == 1 { is_named = 0; sources = sources " " FILENAME }
folder == "" && NR == 1 { texts = quoted("/* " FILENAME " */") }
folder != "" && $1 == "--" && $2 == "name:" {
  statements = statements "  SC_STMT_" toupper($3) ",\n"
  texts = ended(texts) quoted("/* " FILENAME ": " $3 " */")
  is_named = 1
  next
}
folder == "" || (is_named && NF) { texts = texts quoted($0) }
END {
  print "/* Made by sql/embed.awk from" sources ". */"
  if (folder == "") { printf "static const char %s[] =\n%s    ;\n", name, texts; exit }
  printf "#ifndef SC_SQL_%s_H\n#define SC_SQL_%s_H\n\n", upper, upper
  printf "enum sc_%s_statement {\n%s  SC_N_STMTS\n};\n\n", folder, statements
  printf "#ifdef SC_%s_STATEMENT_TEXTS\n", upper
  printf "static const char *const sc_%s_statement_texts[SC_N_STMTS] = {\n%s};\n#endif\n\n#endif\n", folder, ended(texts)
}
