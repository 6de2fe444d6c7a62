"""What a suite costs above Inspect's own work: processor time a sample of provider and scorer, and bytes of its log.

    python -m benchmarks.suites

The same prompts are asked through Inspect with its plainest task (`generate` and a scorer that reads one word) and with
ours, where both ask providers that answer at once; a third way asks the built-in model, drawn in batches, and takes off
what the model itself takes when it is asked without Inspect. Time is the process's own, so that other work on the
machine does not count.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig, Model, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import accuracy, includes
from inspect_ai.solver import generate

from deliberant.evals.log import write_log
from deliberant.evals.samples import ScoredSample
from deliberant.evals.scoring import ask_cases
from deliberant.evals.tasks import case_task
from deliberant.micro.sets import prompt_sets
from deliberant.micro.world import read_style
from deliberant.models.open import open_model
from deliberant.models.types import Sampling
from deliberant.prompts import Case, Message, Prompt, Truth
from deliberant.run.sources import load_named_policy

SAMPLES, LOGGED = 450, 10_000
SAMPLING = Sampling(1.0, 1.0, 96)
CONFIG = GenerateConfig(temperature=1.0, max_tokens=96)


def asked(n: int) -> list[Case]:
    """XSTest's size in the built-in world's words: its cases, again until there are `n`."""
    cases = prompt_sets(load_named_policy("micro"), 0).cases
    return [
        Case(
            Prompt(f"x{i}", case.prompt.messages, case.prompt.categories, f"f{i // 2}"),
            Truth(case.truth.style, case.truth.clause, case.truth.harmful),
            "xstest",
        )
        for i, case in ((i, cases[i % len(cases)]) for i in range(n))
    ]


def at_once(text: str) -> Model:
    def output(*_: Any) -> ModelOutput:
        made = ModelOutput.from_content("mock", text)
        made.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return made

    return get_model("mockllm/model", custom_outputs=output, memoize=False)


@task
def plainest(cases: list[Case]) -> Task:
    """Inspect's own work: a question, an answer, a word looked for in it."""
    found = [Sample(id=case.prompt.id, input=case.prompt.messages[-1]["content"], target="sorry") for case in cases]
    return Task(dataset=MemoryDataset(found), solver=generate(), scorer=includes(), metrics=[accuracy()], config=CONFIG)


@task
def ours(cases: list[Case]) -> Task:
    return case_task("ours", cases, arm="model", policy=None, config=CONFIG, reader=read_style)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this process, all its threads."""
    before = time.process_time()
    work()
    return time.process_time() - before


def run(what: Task, model: Model | str, folder: Path) -> Path:
    [log] = inspect_eval(what, model=model, log_dir=str(folder), display="none", log_level="error")
    assert log.status == "success", log.error
    return Path(log.location.removeprefix("file://"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--logged", type=int, default=LOGGED)
    given = parser.parse_args()
    cases, n = asked(given.samples), given.samples
    with TemporaryDirectory() as name:
        folder = Path(name)
        answer = "<think>[T1] it asks for a theft</think>sorry, i can not help with that."
        run(plainest(cases[:20]), at_once(answer), folder)  # imports, and what else comes once
        run(ours(cases[:20]), at_once(answer), folder)
        plain = seconds(lambda: run(plainest(cases), at_once(answer), folder))
        scored = seconds(lambda: run(ours(cases), at_once(answer), folder))
        print(f"Inspect's plainest task, answers at once: {1000 * plain / n:.2f} ms a sample (n {n})")
        print(f"ours, answers at once: {1000 * scored / n:.2f} ms; of these ours {1000 * (scored - plain) / n:+.2f}")
        model = get_model("deliberant/micro", config=CONFIG)
        run(ours(cases[:20]), model, folder)
        through = seconds(lambda: run(ours(cases), model, folder))
        sampler = open_model("micro", "target")
        drawn: list[ScoredSample] = []
        direct = seconds(lambda: drawn.extend(ask_cases("base", sampler, cases, SAMPLING, 0, read_style)))
        above = 1000 * (through - direct - plain) / n
        print(f"ours, built-in model: {1000 * through / n:.2f} ms; the model alone: {1000 * direct / n:.2f} ms")
        print(f"provider and scorer above Inspect and the model: {above:+.2f} ms a sample (wanted: under 5)")
        many = [each for _ in range(given.logged // n + 1) for each in drawn][: given.logged]
        write_log(
            folder / "log.eval",
            many,
            None,
            id="log",
            model="deliberant/micro",
            grader=None,
            sampling=SAMPLING,
            given=shown,
            metadata={},
        )
        size = (folder / "log.eval").stat().st_size / 1e6
        print(f"log of {given.logged:,} samples: {size:.1f} MB (wanted: under 50)")


def shown(case: Case) -> tuple[Message, ...]:
    return case.prompt.messages


if __name__ == "__main__":
    main()
