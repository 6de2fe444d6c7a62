"""Models: the one door to them (`Sampler`), the one splitter, and the local sampler.

`LocalSampler` needs torch, so it is imported from `deliberant.models.local.sampler` by whoever uses it.
"""

from deliberant.models.splitter import Parts, prefilled, split
from deliberant.models.types import Completion, Request, Sampler, Sampling

__all__ = ["Completion", "Parts", "Request", "Sampler", "Sampling", "prefilled", "split"]
