"""The `deliberant` command, also as `python -m deliberant`. Ctrl-C during its imports is one line, too."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from deliberant.cli.interrupts import STOPPED, STOPPED_LINE


def main() -> None:
    """Run the command line; exits."""
    try:
        from deliberant.cli.app import app

        app(prog_name="deliberant")
    except KeyboardInterrupt:
        print(STOPPED_LINE, file=sys.stderr)
        _leave()
    except SystemExit as end:
        if end.code == STOPPED:
            _leave()
        raise


def _leave() -> NoReturn:
    """End after Ctrl-C, at once: Python would wait for threads that a broken-off library has left behind for ever."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(STOPPED)


if __name__ == "__main__":
    main()
