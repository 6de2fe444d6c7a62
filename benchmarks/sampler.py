"""Tokens per second of the local sampler, prefill counted, against `model.generate` at its best settings.

    OMP_NUM_THREADS=1 python benchmarks/sampler.py
    OMP_NUM_THREADS=1 python benchmarks/sampler.py --model FOLDER --view 1000 --prompts 8 --samples 8 --new 128

The workload is data generation in small: every prompt opens with the same `--view` tokens (0: nothing is shared), then
has 15 to 40 of its own; several samples a prompt, and ends of turn switched off for both. Contenders run in the same
process and take turns, the best of `--rounds` counts. `generate` gets batches of each size in `--batches`, sorted by
length, with a dynamic and a static cache, in fp32 and, on a CPU with bf16 units, in bf16, which is what our sampler
takes there from 100M parameters on. `--clock cpu` counts CPU time, for a machine that is busy with something else.
"""

import argparse
import copy
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from deliberant.micro import MODEL_DIR
from deliberant.models.local.hardware import multiplies_bf16
from deliberant.models.local.sampler import LocalSampler
from deliberant.models.types import Sampling

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def prompts(count: int, samples: int, view: int, vocabulary: int) -> list[list[int]]:
    """`count` prompts of random tokens, `samples` times each."""
    rng = random.Random(0)

    def words(length: int) -> list[int]:
        return [rng.randrange(vocabulary // 2, vocabulary) for _ in range(length)]

    shared = words(view)
    return [prompt for _ in range(count) for prompt in [shared + words(rng.randint(15, 40))] * samples]


def generate(model: Any, rows: list[list[int]], new: int, size: int, cache: str) -> None:
    """What one writes without us: left padding, length-sorted batches, sampling."""
    rows = sorted(rows, key=len)
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        width = max(map(len, batch))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in batch])
        seen = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch])
        with torch.inference_mode():
            model.generate(ids, attention_mask=seen, max_new_tokens=new, cache_implementation=cache)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR), help="a checkpoint folder; default is the built-in model")
    parser.add_argument("--view", type=int, default=180)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--new", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--caches", nargs="+", default=["dynamic", "static"])
    parser.add_argument("--dtypes", nargs="+", default=["fp32", "bf16"], help="of generate's weights")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()

    from transformers import GenerationConfig

    sampler = LocalSampler.load(options.model)
    sampler._ends = set()
    model = sampler.model.float()
    model.generation_config = GenerationConfig(do_sample=True, top_k=0, pad_token_id=0)
    peers = {"fp32": model} | ({"bf16": copy.deepcopy(model).bfloat16()} if multiplies_bf16() else {})
    peers = {name: peer for name, peer in peers.items() if name in options.dtypes}
    rows = prompts(options.prompts, options.samples, options.view, model.config.vocab_size)
    contenders: dict[str, Callable[[], object]] = {
        f"generate, {name}, {cache}, {size}": partial(generate, peer, rows, options.new, size, cache)
        for name, peer in peers.items()
        for cache in options.caches
        for size in options.batches
    }
    sampling = Sampling(max_new_tokens=options.new)
    contenders["ours"] = partial(sampler.sample_ids, rows, range(len(rows)), sampling)
    took = dict.fromkeys(contenders, float("inf"))
    clock = CLOCKS[options.clock]
    for _ in range(options.rounds):
        for name, work in contenders.items():
            began = clock()
            work()
            took[name] = min(took[name], clock() - began)
    best = min(seconds for name, seconds in took.items() if name != "ours")
    print(f"{model.num_parameters() / 1e6:.1f}M parameters, {len(rows)} rows of {options.view} shared tokens", end="")
    print(f", {options.new} new ones, {options.clock} time; x: against generate at its best")
    for name, seconds in took.items():
        print(f"{name:30} {len(rows) * options.new / seconds:9.1f} tokens/s  x{best / seconds:.2f}", flush=True)


if __name__ == "__main__":
    main()
