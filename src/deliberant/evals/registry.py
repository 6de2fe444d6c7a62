"""The entry point module (group `inspect_ai`): importing it registers provider, tasks and attacks with Inspect."""

from deliberant.evals.attacks.crescendo import crescendo
from deliberant.evals.attacks.forged import forged
from deliberant.evals.attacks.pair import pair
from deliberant.evals.attacks.retry import retry
from deliberant.evals.attacks.tap import tap
from deliberant.evals.probes import awareness
from deliberant.evals.provider import deliberant
from deliberant.evals.suites.agentic import agentic
from deliberant.evals.tasks import cases

__all__ = ["agentic", "awareness", "cases", "crescendo", "deliberant", "forged", "pair", "retry", "tap"]
