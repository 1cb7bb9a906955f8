# embed.awk: one .sql file -> one C string in a header.
#   awk -v name=sql_merge_create -v path=sql/merge/create.sql -f sql/embed.awk FILE
# Comment lines (--) at the head and blank lines are kept: a trace shows where the text came from.
BEGIN { printf "/* Made by sql/embed.awk from %s. */\nstatic const char %s[] =\n    \"/* %s */\\n\"\n", path, name, path }
{ gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); printf "    \"%s\\n\"\n", $0 }
END { print "    ;" }
