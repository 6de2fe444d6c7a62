"""Models: the one door to them (`Sampler`), and the formats of their reasoning.

Samplers are made by `deliberant.models.open.open_model`, which imports what an engine needs.
"""

from deliberant.models.formats import Parts, split
from deliberant.models.types import Completion, Reasoning, Request, Role, Sampler, Sampling, Usage

__all__ = ["Completion", "Parts", "Reasoning", "Request", "Role", "Sampler", "Sampling", "Usage", "split"]
