"""Two processes that hold a tiny model in parts (FSDP2), as a launch with GPUs does: whole again, it samples alike."""

import copy
import sys

import torch
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from deliberant.models import Request, Sampling
from deliberant.models.local.sampler import LocalSampler
from deliberant.training.shards import ShardSampler
from deliberant.training.trainers import Blend
from deliberant.util.processes import end, join

if __name__ == "__main__":
    join()
    start = LocalSampler.load(sys.argv[1])
    model = copy.deepcopy(start.model).float()
    sampler = ShardSampler(model, start.tokenizer, identity="live")
    for layer in model.transformer.h:
        fully_shard(layer)
    fully_shard(model)
    request = Request([{"role": "user", "content": "sing"}], 1)  # type: ignore[arg-type]
    before = sampler.sample([request], Sampling(max_new_tokens=20))
    with torch.no_grad():
        for each in model.parameters():
            assert isinstance(each, DTensor)
            each.mul_(-1.0)
    sampler.refresh()
    after = sampler.sample([request], Sampling(max_new_tokens=20))
    assert before[0].token_ids != after[0].token_ids
    for mine, whole in zip(sampler.model.parameters(), start.model.parameters(), strict=True):
        assert torch.equal(mine, -whole.float())
    Blend(start.model, lambda: 0.25).on_train_end(model=model)
    for part, whole in zip(model.parameters(), start.model.parameters(), strict=True):
        torch.testing.assert_close(part.full_tensor(), 0.5 * whole.float())
    end(SystemExit(0))
