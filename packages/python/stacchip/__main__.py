"""The program stacchip, which lies beside the extension."""
import os
import sys

from ._load import FOLDER


def main() -> None:
    os.execv(os.path.join(FOLDER, "stacchip"), ["stacchip", *sys.argv[1:]])


if __name__ == "__main__":
    main()
