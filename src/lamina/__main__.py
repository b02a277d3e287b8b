"""`python -m lamina` is the command `lamina`."""

from __future__ import annotations

import gc
import sys

# Net new objects before a search for cycles among the youngest; 700 by default.
_COLLECT_AFTER = 300_000


def main() -> None:
    """Run the command line; an interrupt while it is still being loaded ends in no traceback.

    Modules and catalogues stay to the end: to search them for garbage again and again takes a
    fifth of a short command's time (Python's documentation, `gc.set_threshold`).
    """
    gc.set_threshold(_COLLECT_AFTER)
    try:
        from lamina.cli import main as command
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
