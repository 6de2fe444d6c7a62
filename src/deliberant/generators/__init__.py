"""Prompts made of prompts, or of clauses, and what became of each that was asked for.

Two ways: `wrap` puts requests into texts that stand in data files (framings, multi-turn, transform, encode), `write`
asks a model (twins, clauses, what leads up to a request). Both give `Made`, and `settle` turns those into prompts,
rejects and yields. `documents` asks about the clauses themselves.
"""

from deliberant.generators.clauses import clause_jobs, counts_of_coverage, counts_of_prompts
from deliberant.generators.documents import ask_about_clauses
from deliberant.generators.rewrites import TOWARDS, lead_up_jobs, twin_jobs
from deliberant.generators.types import Made, Settled, settle
from deliberant.generators.wrapping import WRAPPERS, Wrapper, load_wrappers, wrap
from deliberant.generators.writing import Job, forget_journals, write

__all__ = [
    "TOWARDS",
    "WRAPPERS",
    "Job",
    "Made",
    "Settled",
    "Wrapper",
    "ask_about_clauses",
    "clause_jobs",
    "counts_of_coverage",
    "counts_of_prompts",
    "forget_journals",
    "lead_up_jobs",
    "load_wrappers",
    "settle",
    "twin_jobs",
    "wrap",
    "write",
]
