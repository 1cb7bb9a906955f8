# embed.awk: one .sql file -> one C string in a header.
#   awk -v name=sql_merge_create -v path=sql/merge/create.sql -f sql/embed.awk FILE
# The text begins with the path, so that a trace shows where it came from.
BEGIN { printf "/* Made by sql/embed.awk from %s. */\nstatic const char %s[] =\n    \"/* %s */\\n\"\n", path, name, path }
{ gsub(/[\\"]/, "\\\\&"); printf "    \"%s\\n\"\n", $0 }
END { print "    ;" }
