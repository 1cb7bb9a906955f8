#!/usr/bin/env python3
"""lint.py [ROOT [FILE...]]: what compilers do not check of ext/. Prints `file:line: what` and exits 1 where there is something.

- An include must be one that the table in docs/ARCHITECTURE.md allows; a generated header sql/NAME/... or sql/NAME.h
  belongs to the folder ext/NAME.
- No function is longer than 80 lines or takes more than 7 parameters. (The sources are clang-format's: a definition
  begins in the first column and ends with a line "}".)
- Some calls are made in one place only, or not at all.
"""
import os
import re
import sys

MAX_LINES, MAX_PARAMETERS = 80, 7
CALLBACKS = {"on_request"}  # whose parameters a library has settled (libmicrohttpd's handler has 8)

# (calls, files that may make them, why not elsewhere)
CALLS = [
    ("strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|localtime|gmtime|asctime|ctime|strerror_l|rand|srand|system|popen",
     r"$^", "is banned: it has no bounds, no errors or hidden state"),
    ("exit|_exit|abort|printf|vprintf|puts|putchar|perror|setlocale|signal|sigaction|setenv|putenv|unsetenv|chdir|umask",
     r"ext/cli/", "is not for a guest in another process"),
    ("pthread_create", r"ext/base/thread\.c", "is sc_thread_start()'s, which blocks the host's signals (base/thread.h)"),
    ("open|openat|creat|fopen|freopen|opendir|fdopendir|scandir|glob|nftw|ftw", r"ext/store/",
     "is the store's: files and folders are opened in ext/store"),
]
TEXTS = [(r"\bDESIGN\b|\bSTYLE\b", "names a document that is not in the repository"),
         (r"\b(TODO|FIXME|XXX)\b", "is for an issue, not for a comment")]


def blank(source):
    """The source without what stands in comments and literals; lines stay."""
    def lines_only(m):
        text = m[0]
        if text[0] in "\"'":
            return text[0] * 2
        return "\n" * text.count("\n") or " "
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', lines_only, source, flags=re.S)


def read_table(path):
    """{folder: set of what it may include}; None: anything."""
    table = {}
    for line in open(path, encoding="utf-8"):
        cells = [c.strip() for c in line.replace("`", "").strip().strip("|").split("|")]
        if len(cells) != 3 or not re.fullmatch(r"ext(/\w+)?", cells[0]):
            continue
        may = {w.strip() for w in cells[2].split(",")} - {"-", ""}
        table[cells[0]] = None if may == {"all"} else may
    return table


def owner(include):
    """The folder of ext/ that an included file belongs to, and how the table may name it."""
    parts = include.split("/")
    if parts[0] == "sql" and len(parts) > 1:
        return parts[1].removesuffix(".h"), include
    return (parts[0] if len(parts) > 1 else ""), include


def check_includes(path, source, table, complain):
    folder = os.path.dirname(path)
    if folder not in table:
        complain(1, f"docs/ARCHITECTURE.md has no row for {folder}")
        return
    may = table[folder]
    for i, line in enumerate(source.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not m or may is None or m[1] == "stacchip.h":
            continue
        whose, name = owner(m[1])
        if "ext/" + whose != folder and whose not in may and name not in may:
            complain(i, f'includes "{name}"; by docs/ARCHITECTURE.md {folder} may use {", ".join(sorted(may)) or "itself"}')


def parameters(signature):
    """How many there are between the first parenthesis and its partner."""
    depth, n, text = 0, 1, ""
    for c in signature[signature.index("("):]:
        depth += (c in "([{") - (c in ")]}")
        if depth == 0:
            break
        n += c == "," and depth == 1
        text += c
    return 0 if text[1:].strip() in ("", "void") else n


def check_functions(source, complain):
    lines, begin, i = source.split("\n"), None, 0
    while i < len(lines):
        line = lines[i]
        if begin is None:
            if re.match(r"[A-Za-z_]", line) and not line.endswith(":"):
                begin = i
            else:
                i += 1
                continue
        whole = "\n".join(lines[begin:i + 1])
        if not re.search(r"[;{}]\s*$", line):
            i += 1
            continue
        head = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", whole, flags=re.S)
        m = re.match(r"[\w\s*]*?\b(\w+)\s*\(", head)
        is_function = m and "=" not in head.split("{")[0].split("(")[0] and not head.startswith("typedef")
        if is_function and parameters(head) > MAX_PARAMETERS and m[1] not in CALLBACKS:
            complain(begin + 1, f"{m[1]}() has {parameters(head)} parameters; {MAX_PARAMETERS} are the most")
        if line.rstrip().endswith("{"):
            end = i
            while end < len(lines) and not lines[end].startswith("}"):
                end += 1
            if is_function and end - begin + 1 > MAX_LINES:
                complain(begin + 1, f"{m[1]}() has {end - begin + 1} lines; {MAX_LINES} are the most")
            i = end
        begin = None
        i += 1


def check_calls(path, source, text, complain):
    for i, line in enumerate(source.split("\n"), 1):
        for calls, places, why in CALLS:
            m = re.search(rf"(?<![\w.>*])({calls})\s*\(", line)
            if m and not re.match(places, path):
                complain(i, f"{m[1]}() {why}")
    for i, line in enumerate(text.split("\n"), 1):
        for pattern, why in TEXTS:
            m = re.search(pattern, line)
            if m:
                complain(i, f"'{m[0]}' {why}")


def sources(root):
    for folder, _, names in sorted(os.walk(os.path.join(root, "ext"))):
        yield from (os.path.relpath(os.path.join(folder, name), root) for name in sorted(names) if name.endswith((".c", ".h")))


def main(root, paths):
    table, n = read_table(os.path.join(root, "docs/ARCHITECTURE.md")), 0
    for path in paths or sources(root):
        text = open(os.path.join(root, path), encoding="utf-8").read()
        source = blank(text)

        def complain(line, what):
            nonlocal n
            n += 1
            print(f"{path}:{line}: {what}")

        check_includes(path, text, table, complain)
        check_functions(source, complain)
        check_calls(path, source, text, complain)
    return n


if __name__ == "__main__":
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    sys.exit(1 if main(os.path.normpath(root), sys.argv[2:]) else 0)
