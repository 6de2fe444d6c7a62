"""Models: the one door to them (`Sampler`), the one splitter, prompt templates, and the local sampler.

`LocalSampler` needs torch, so it is imported from `deliberant.models.local` by whoever uses it.
"""

from deliberant.models.splitter import Parts, prefilled, split
from deliberant.models.templates import Templates, fill
from deliberant.models.types import Completion, Request, Sampler, Sampling

__all__ = ["Completion", "Parts", "Request", "Sampler", "Sampling", "Templates", "fill", "prefilled", "split"]
