"""Memory that glibc keeps: what was freed stays with the process, piece by piece, and long work adds up."""

import ctypes
import gc


def give_back() -> None:
    """Hand freed memory back to the system, where the C library can (glibc alone)."""
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
