"""The evidence of a run, to read: one self-contained HTML page, and a short table for the terminal."""

from deliberant.report.page import Evidence, render
from deliberant.report.terminal import table

__all__ = ["Evidence", "render", "table"]
