"""Ctrl-C: one line, and an exit code that says so.

Python's own handler stays: asyncio and our libraries know it, and `with` blocks put terminal and files back on the way.
"""

import signal
import sys
from typing import NoReturn

from deliberant.util.processes import is_first_failure

STOPPED = 130


def exit_stopped() -> NoReturn:
    """End the command after Ctrl-C. A second one from here on ends the process where it stands, and in silence."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if is_first_failure():
        print("stopped; the same command resumes", file=sys.stderr)
    sys.exit(STOPPED)
