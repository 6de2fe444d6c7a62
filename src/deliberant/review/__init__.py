"""People in the loop: they read samples, their labels stay beside the run, and the judge is held against them.

Importing this is light; the server, statistics and models are imported where they are used.
"""

from deliberant.review.labels import (
    COLUMNS,
    Label,
    Labels,
    check_reviewer,
    new_label,
    read_labels,
    select_current,
    select_latest,
    select_news,
)
from deliberant.review.samples import Entry, Samples, draw
from deliberant.review.summary import summary

__all__ = [
    "COLUMNS",
    "Entry",
    "Label",
    "Labels",
    "Samples",
    "check_reviewer",
    "draw",
    "new_label",
    "read_labels",
    "select_current",
    "select_latest",
    "select_news",
    "summary",
]
