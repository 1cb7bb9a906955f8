"""Writes docs/reference.md out of stacchip_help(), which says what the code's own tables say. `make reference` runs it."""
import sys

import host

INTRO = """# Reference

Every function and table, with its arguments, columns, options and defaults. This page is `stacchip_help()` of the extension, written by
`make reference`; the pages of each subject say more. In SQL:

```sql
SELECT name, about FROM stacchip_help WHERE part = 'function' AND type = 'aggregate function' LIMIT 2;
SELECT name, type, default_value FROM stacchip_help('index') WHERE part = 'option' LIMIT 2;
SELECT DISTINCT function FROM stacchip_help('all_touched');
```
```text
stacchip_stack(row [, options [, sort_key]])|the chips of a group as one array, read side by side
stacchip_composite(row [, options [, sort_key]])|the chips of a group as one, by the first, median, mean, greatest or least value
chip_size|a whole number from 1 to 65536|256
stride|a whole number from 1 to 65536|chip_size
stacchip_zonal
stacchip_rasterize
```

The argument is a function or table, with or without its `stacchip_`, or the name of an option, which finds whoever has it. Options are
the members of a JSON object; keys are the members of what one option or argument is made of. What takes options answers an unknown
one with the list of those that it has.
"""
HEADS = {"argument": ("argument", "type", "default"), "column": ("column", "type", None), "option": ("option", "value", "default"),
         "key": ("key", "value", "default"), "setting": ("setting", "value", "default")}


def cell(text, code=False):
    text = (text or "").replace("|", "\\|")
    return f"`{text}`" if code and text else text


def tables(rows):
    """The rows of one function, a table for each part."""
    for part, (name, kind, default) in HEADS.items():
        own = [r for r in rows if r[1] == part]
        if not own:
            continue
        yield f"\n| {name} | {kind} |" + (f" {default} |" if default else "") + " |\n|---|---|" + ("---|" if default else "") + "---|\n"
        for _, _, named, typed, initial, about, _ in own:
            yield f"| {cell(named, True)} | {cell(typed)} |" + (f" {cell(initial)} |" if default else "") + f" {cell(about)} |\n"


def reference(db):
    text = [INTRO]
    for function, in db.execute("SELECT function FROM stacchip_help WHERE part = 'function'").fetchall():
        rows = db.execute("SELECT * FROM stacchip_help(?)", (function,)).fetchall()
        _, _, call, kind, _, about, example = rows[0]
        statements = ";\n".join(example.split("; ")) + ";"
        text.append(f"\n## {function}\n\n`{call}`, {'an' if kind[0] == 'a' else 'a'} {kind}: {about}.\n\n```\n{statements}\n```\n")
        text += tables(rows)
    return "".join(text)


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        f.write(reference(host.connect()))
