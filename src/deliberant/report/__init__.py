"""The evidence of a run, to read: one self-contained HTML page, and a short table for the terminal."""

from deliberant.report.coverage import Coverage
from deliberant.report.moved import cost_lines, moved_lines, moved_table
from deliberant.report.page import Evidence, render
from deliberant.report.terminal import coverage_table, earned_lines, result_tables, suite_tables

__all__ = [
    "Coverage",
    "Evidence",
    "cost_lines",
    "coverage_table",
    "earned_lines",
    "moved_lines",
    "moved_table",
    "render",
    "result_tables",
    "suite_tables",
]
