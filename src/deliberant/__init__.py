"""Teaches language models to reason over a written policy before they answer (deliberative alignment).

What the `deliberant` command does, a notebook can do: docs/notebook.md has ten lines. A name is imported when it is
first used, so `import deliberant` loads nothing heavy. The stage `report` is here as `write_report`, since `report` is
the room that draws it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deliberant.version import VERSION as __version__

if TYPE_CHECKING:
    from deliberant.judge import FilterRequest, Judge, RewardRequest, Verdict
    from deliberant.models import Completion, Reasoning, Request, Role, Sampler, Sampling, Usage, split
    from deliberant.models.open import open_model
    from deliberant.models.refs import Reference, parse_reference
    from deliberant.policy import Policy, diff, find_citations, lint, load_policy, spec_view, summary_view
    from deliberant.prompts import Case, Message, Prompt, read_cases, read_prompts
    from deliberant.run.loader import load_recipe
    from deliberant.run.opening import open_run
    from deliberant.run.recipe import Recipe
    from deliberant.run.run import Run
    from deliberant.stages.doctor import doctor
    from deliberant.stages.documents import documents
    from deliberant.stages.evaluate import evaluate, results
    from deliberant.stages.export import export
    from deliberant.stages.filter import filter
    from deliberant.stages.generate import generate
    from deliberant.stages.helpful import helpful
    from deliberant.stages.report import report as write_report
    from deliberant.stages.rl import rl
    from deliberant.stages.sft import sft
    from deliberant.util.errors import DeliberantError, RunError, UserError

_HOMES = {
    "judge": ("FilterRequest", "Judge", "RewardRequest", "Verdict"),
    "models": ("Completion", "Reasoning", "Request", "Role", "Sampler", "Sampling", "Usage", "split"),
    "models.open": ("open_model",),
    "models.refs": ("Reference", "parse_reference"),
    "policy": ("Policy", "find_citations", "diff", "lint", "load_policy", "spec_view", "summary_view"),
    "prompts": ("Case", "Message", "Prompt", "read_cases", "read_prompts"),
    "run.loader": ("load_recipe",),
    "run.opening": ("open_run",),
    "run.recipe": ("Recipe",),
    "run.run": ("Run",),
    "stages.doctor": ("doctor",),
    "stages.documents": ("documents",),
    "stages.evaluate": ("evaluate", "results"),
    "stages.export": ("export",),
    "stages.filter": ("filter",),
    "stages.generate": ("generate",),
    "stages.helpful": ("helpful",),
    "stages.report": ("write_report",),
    "stages.rl": ("rl",),
    "stages.sft": ("sft",),
    "util.errors": ("DeliberantError", "RunError", "UserError"),
}
"""Module -> the public names that live there."""
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Case",
    "Completion",
    "DeliberantError",
    "FilterRequest",
    "Judge",
    "Message",
    "Policy",
    "Prompt",
    "Reasoning",
    "Recipe",
    "Reference",
    "Request",
    "RewardRequest",
    "Role",
    "Run",
    "RunError",
    "Sampler",
    "Sampling",
    "Usage",
    "UserError",
    "Verdict",
    "__version__",
    "diff",
    "doctor",
    "documents",
    "evaluate",
    "export",
    "filter",
    "find_citations",
    "generate",
    "helpful",
    "lint",
    "load_policy",
    "load_recipe",
    "open_model",
    "open_run",
    "parse_reference",
    "read_cases",
    "read_prompts",
    "results",
    "rl",
    "sft",
    "spec_view",
    "split",
    "summary_view",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'deliberant' has no attribute {name!r}")
    found = getattr(import_module(f"deliberant.{_HOME[name]}"), "report" if name == "write_report" else name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
