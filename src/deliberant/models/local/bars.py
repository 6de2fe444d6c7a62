"""Keeps transformers from drawing progress bars: what the terminal shows is the command line's business."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hide_bars() -> Iterator[None]:
    """No bars while weights are loaded, trained or saved."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
