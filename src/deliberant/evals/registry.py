"""The entry point module (group `inspect_ai`): importing it registers our provider and our tasks with Inspect."""

from deliberant.evals.provider import deliberant
from deliberant.evals.tasks import cases

__all__ = ["cases", "deliberant"]
