"""Tokens per second of the local sampler against `model.generate`, same random 3M-parameter Llama, same process.

The workload is data generation in small: every prompt opens with the same summaries, then one of a few categories,
then its own question; several samples per prompt. The two alternate and the best of the rounds counts. Both draw
exactly `--new` tokens per row (a random model ends at random, so ends are switched off for both).

    OMP_NUM_THREADS=1 python benchmarks/sampler.py
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deliberant.models.local.sampler import LocalSampler
from deliberant.models.types import Sampling
from tests.tiny import make_tiny_tokenizer

VOCABULARY = 1500


def build() -> Any:
    """Llama, hidden 224, 5 layers, grouped queries, tied embeddings; never ends a turn."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=224,
        intermediate_size=608,
        num_hidden_layers=5,
        num_attention_heads=7,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


def prompts(count: int, samples: int, categories: int) -> list[list[int]]:
    """`count` prompts of 100 shared, 80 category and 15 to 40 own tokens, `samples` times each."""
    rng = random.Random(0)

    def words(length: int) -> list[int]:
        return [rng.randrange(300, VOCABULARY) for _ in range(length)]

    shared, views = words(100), [words(80) for _ in range(categories)]
    return [p for i in range(count) for p in [shared + views[i % categories] + words(rng.randint(15, 40))] * samples]


def generate(model: Any, rows: list[list[int]], new: int) -> None:
    """What one writes without us: left padding, length-sorted batches of 64, sampling."""
    rows = sorted(rows, key=len)
    for start in range(0, len(rows), 64):
        batch = rows[start : start + 64]
        width = max(map(len, batch))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in batch])
        seen = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch])
        with torch.inference_mode():
            model.generate(ids, attention_mask=seen, max_new_tokens=new, min_new_tokens=new, do_sample=True, top_k=0)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--categories", type=int, default=6)
    parser.add_argument("--new", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()

    model, tokenizer = build(), make_tiny_tokenizer()
    rows = prompts(options.prompts, options.samples, options.categories)
    sampling = Sampling(max_new_tokens=options.new)
    contenders: dict[str, Callable[[], object]] = {"model.generate": lambda: generate(model, rows, options.new)}
    for name, dtype in (("ours, fp32", torch.float32), ("ours, bf16", torch.bfloat16)):
        sampler = LocalSampler(model, tokenizer, identity="benchmark", dtype=dtype)
        sampler._ends = set()
        contenders[name] = partial(sampler.sample_ids, rows, range(len(rows)), sampling)
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(options.rounds):
        for name, work in contenders.items():
            best[name] = min(best[name], seconds(work))
    print(f"{model.num_parameters() / 1e6:.1f}M parameters, {len(rows)} rows, {options.new} new tokens")
    for name, took in best.items():
        print(f"{name:16} {len(rows) * options.new / took:9.0f} tokens/s  x{best['model.generate'] / took:.2f}")


if __name__ == "__main__":
    main()
