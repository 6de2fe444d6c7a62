"""A real server, tried as the writer of a policy's samples: whole reasoning blocks, citations that exist, tokens/s.

    OMP_NUM_THREADS=1 python benchmarks/servers.py vllm:http://127.0.0.1:8080/v1
    OMP_NUM_THREADS=1 python benchmarks/servers.py vllm:org/name --count 100 --connections 32

Works for any model reference. The policy is recipes/shop's; every clause's training prompts come in turns. With --calls
FOLDER what is drawn is kept, and the same command goes on where it was stopped.
"""

import argparse
import time
from pathlib import Path

from deliberant.models.cache import Calls
from deliberant.models.open import open_model
from deliberant.models.refs import parse_reference
from deliberant.models.types import Request, Sampling
from deliberant.policy import find_citations, load_policy
from deliberant.prompts.reader import read_prompts
from deliberant.stages.generate import writer_messages
from deliberant.templates import Templates
from deliberant.util.turns import take_turns

SHOP = Path(__file__).parents[1] / "recipes" / "shop"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=160)
    parser.add_argument("--reasoning-tokens", type=int, default=96)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--calls", type=Path)
    args = parser.parse_args()
    policy, templates = load_policy(SHOP / "policy"), Templates.load("default")
    prompts = take_turns(read_prompts(SHOP / "train.jsonl"), lambda prompt: prompt.hints[0].clause)
    drawn_from = [(prompts[n % len(prompts)], n // len(prompts)) for n in range(args.count)]
    requests = [
        Request(writer_messages(each, n, policy, templates, "prompted"), n) for n, (each, _) in enumerate(drawn_from)
    ]
    options = {}
    if parse_reference(args.model).remote:
        options = {"calls": Calls(args.calls), "connections": args.connections}
    sampler = open_model(args.model, "base", "prompted", **options)
    began = time.monotonic()
    drawn = sampler.sample(requests, Sampling(0.7, 1.0, args.tokens, args.reasoning_tokens))
    seconds = time.monotonic() - began
    clauses = {clause.id for category in policy.categories for clause in category.clauses}
    whole = [each.complete and bool(each.reasoning) and each.stop == "stop" for each in drawn]
    names = [find_citations(each.reasoning) for each in drawn]
    exist = sum(bool(name) and {*name} <= clauses for name in names)
    right = sum(prompt.hints[0].clause in name for (prompt, _), name in zip(drawn_from, names, strict=True))
    read, made = sum(each.usage.input for each in drawn), sum(each.usage.output for each in drawn)
    cached = sum(each.usage.cached for each in drawn)
    print(
        f"{len(drawn)} samples: {sum(each.complete for each in drawn)} with a whole block, {sum(whole)} ended by itself"
    )
    print(f"cite clauses that exist, and no others: {exist}; the right one among them: {right}")
    print(f"{made} tokens in {seconds:.0f} s: {made / seconds:.1f} a second")
    print(f"{read} tokens read, {cached / read:.0%} of them from the server's cache")
    for each in drawn[:3]:
        print(f"\n[{each.stop}] {each.reasoning!r}\n -> {each.answer!r}")


if __name__ == "__main__":
    main()
