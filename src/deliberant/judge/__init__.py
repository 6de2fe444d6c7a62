"""The judge: what it is asked, how it is asked, how its words become a verdict.

The paper calls it G_RM (sections 2.3.2 and 2.4): a reasoning model that knows the policy only through its prompt. It
sees the reasoning when it filters samples and never when it rewards them.
"""

from deliberant.judge.judge import CLAUSE_HINT, Judge, shows_clauses
from deliberant.judge.leaks import Leaks
from deliberant.judge.overlaps import count_overlaps
from deliberant.judge.requests import FilterRequest, JudgeRequest, RewardRequest
from deliberant.judge.rules import MENU, VerdictRule, verdict_rule
from deliberant.judge.verdict import Verdict, minimum, parse

__all__ = [
    "CLAUSE_HINT",
    "MENU",
    "FilterRequest",
    "Judge",
    "JudgeRequest",
    "Leaks",
    "RewardRequest",
    "Verdict",
    "VerdictRule",
    "count_overlaps",
    "minimum",
    "parse",
    "shows_clauses",
    "verdict_rule",
]
