"""The entry point module (group `inspect_ai`): importing it registers all that Inspect finds here."""

from deliberant.evals.agentic import agentic
from deliberant.evals.attacks.crescendo import crescendo
from deliberant.evals.attacks.forged import forged
from deliberant.evals.attacks.retry import retry
from deliberant.evals.attacks.tap import pair, tap
from deliberant.evals.probes import awareness, thoughts
from deliberant.evals.provider import deliberant
from deliberant.evals.suite import TASKS
from deliberant.evals.tasks import cases

__all__ = [
    "TASKS",
    "agentic",
    "awareness",
    "cases",
    "crescendo",
    "deliberant",
    "forged",
    "pair",
    "retry",
    "tap",
    "thoughts",
]
