# bundle.awk MODULE...: the modules of the page as one script, in their order, for a page in one file (browsers
# load no module from file://). Each says its imports in lines of their own and its exports by the word
# before a declaration; all names at top level are different, or the script is no module: a test says so.
FNR == 1 { n = split(FILENAME, path, "/"); print "// " path[n] }
/^import .* from '\.\/[a-z]+\.js';$/ { next }
{ sub(/^export /, ""); print }
