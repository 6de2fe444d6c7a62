"""The evidence of a run, to read: one self-contained HTML page, and a short table for the terminal."""

from deliberant.report.coverage import Coverage
from deliberant.report.earned import earned_lines
from deliberant.report.moved import cost_lines, moved_lines, moved_table
from deliberant.report.page import Evidence, render
from deliberant.report.plots import Point, two_sided
from deliberant.report.published import Reference, references
from deliberant.report.reader import reader_data
from deliberant.report.templates import page_environment
from deliberant.report.terminal import coverage_table, table

__all__ = [
    "Coverage",
    "Evidence",
    "Point",
    "Reference",
    "cost_lines",
    "coverage_table",
    "earned_lines",
    "moved_lines",
    "moved_table",
    "page_environment",
    "reader_data",
    "references",
    "render",
    "table",
    "two_sided",
]
