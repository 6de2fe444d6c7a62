"""The written policy: read from a folder of Markdown, printed back, hashed, and shown to models as spec views."""

from deliberant.policy.diff import Diff, diff
from deliberant.policy.lint import Finding, lint
from deliberant.policy.loader import load_policy
from deliberant.policy.types import Category, Clause, Guideline, Policy, find_citations, print_policy
from deliberant.policy.views import measure, spec_view, summary_view, traces

__all__ = [
    "Category",
    "Clause",
    "Diff",
    "Finding",
    "Guideline",
    "Policy",
    "diff",
    "find_citations",
    "lint",
    "load_policy",
    "measure",
    "print_policy",
    "spec_view",
    "summary_view",
    "traces",
]
