"""Loading the extension that lies in this package."""
import os
import sqlite3
from typing import Any, Callable, Tuple

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "native")
WAYS_OUT = (
    "this Python's sqlite3 was built without extension loading. Ways out: a Python that has it (Debian's, Ubuntu's, conda's); "
    "with pyenv, PYTHON_CONFIGURE_OPTS=--enable-loadable-sqlite-extensions pyenv install ...; "
    "or pip install apsw, then stacchip.load(apsw.Connection(path))"
)


def loadable_path() -> str:
    """What SQLite's load_extension() takes: the path of the extension without its suffix."""
    return os.path.join(FOLDER, "stacchip")


def load(connection: Any) -> None:
    """Give a connection of sqlite3 or apsw stacchip's functions and tables, and SpatiaLite's.

    Whether the connection may load further extensions is afterwards as it was before.
    """
    enable, load_extension = _loader(connection)
    try:
        load_extension(loadable_path())
    except Exception as e:
        if "not authorized" not in str(e):  # SQLite's words where loading is off
            raise
        enable(True)
        try:
            load_extension(loadable_path())
        finally:
            enable(False)


def connect(path: "str | os.PathLike[str]", **options: Any) -> sqlite3.Connection:
    """sqlite3.connect() with the extension loaded; options are those of sqlite3.connect()."""
    connection = sqlite3.connect(path, **options)
    try:
        load(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _loader(connection: Any) -> "Tuple[Callable[[bool], Any], Callable[[str], Any]]":
    """The connection's two methods: allow loading, load. The second pair has apsw's names."""
    for enable, load_extension in (("enable_load_extension", "load_extension"), ("enableloadextension", "loadextension")):
        if hasattr(connection, enable):
            return getattr(connection, enable), getattr(connection, load_extension)
    raise sqlite3.NotSupportedError(WAYS_OUT)
