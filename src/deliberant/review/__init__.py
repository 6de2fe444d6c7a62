"""People in the loop: they read samples, their labels stay beside the run, and the judge is held against them.

Importing this is light; the server, statistics and models are imported where they are used.
"""

from deliberant.review.labels import (
    COLUMNS,
    Label,
    Labels,
    check_reviewer,
    current,
    latest,
    new_label,
    news,
    read_labels,
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
    "current",
    "draw",
    "latest",
    "new_label",
    "news",
    "read_labels",
    "summary",
]
