"""Ctrl-C that no library loses.

Python turns Ctrl-C into one KeyboardInterrupt. Where that falls into a bare `except:` (copyreg has one, torch some
forty) or into a destructor it is gone, and the command goes on as if nobody had pressed anything; others make an error
of their own of it. So it is raised again until it has ended the body, and what the body ends with is KeyboardInterrupt.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPPED = 130  # the exit code after Ctrl-C
STOPPED_LINE = "stopped; the same command resumes"
AGAIN = 3.0  # seconds; Inspect needs two to put a stopped evaluation away
AT_ONCE = 0.01  # seconds

_held = _waiting = False  # whether it has to wait, and whether it does


@contextmanager
def insistent() -> Iterator[None]:
    """After Ctrl-C, raise KeyboardInterrupt in the body until it has ended, and then whatever it has ended with.

    Does nothing outside the main thread, and where Ctrl-C is ignored or somebody else's.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed = ended = False

    def interrupt(*_: Any) -> None:
        global _waiting
        nonlocal pressed
        pressed = True
        if _held:
            _waiting = True
        elif not ended:
            signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
            raise KeyboardInterrupt

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        if not pressed:
            hook(lost)
        elif lost.exc_type is KeyboardInterrupt and not ended:
            signal.setitimer(signal.ITIMER_REAL, AT_ONCE, AGAIN)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    alarm = signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception as error:
        if pressed:
            raise KeyboardInterrupt from error
        raise
    finally:
        ended = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, alarm)
        sys.unraisablehook = hook
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A body that must not stop half-way: within `insistent`, Ctrl-C waits until it has ended."""
    global _held, _waiting
    _held = True
    try:
        yield
    finally:
        _held = False
        if _waiting:
            _waiting = False
            signal.raise_signal(signal.SIGINT)


@contextmanager
def expected() -> Iterator[None]:
    """Ctrl-C is how people end the body, and no failure: it ends it once, and what comes after goes on."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGINT, before)
