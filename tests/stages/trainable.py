"""Runs that can be trained: real, on a tiny model, their earlier stages filled in by hand, with a bar that can kill."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deliberant.prompts.types import Prompt
from deliberant.run.run import Run
from deliberant.util.files import write_rows
from deliberant.util.progress import Bar, NullProgress
from tests.completions import completed
from tests.runs import open_as
from tests.stages.scripted import HEARTH, POEM, PRUNING, SONG, Scripted, recipe


class Killed(Exception):
    """Stands for the power cut."""


class Fuse:
    """A progress that counts, and raises once `steps` steps are done in this process."""

    def __init__(self, steps: int | None = None) -> None:
        self.steps = steps
        self.done = 0

    @contextmanager
    def __call__(self, label: str, total: int, brief: bool = False) -> Iterator[Bar]:
        if brief:
            yield NullProgress()
        else:
            self.total = total
            yield self

    def advance(self, n: int = 1) -> None:
        self.done += n
        if self.steps is not None and self.done >= self.steps:
            raise Killed


class TrainableRun(Run):
    """A real run; only the judge is scripted."""

    judging: Scripted

    def sampler(self, role: str) -> Any:
        return self.judging if role in ("filter", "reward", "evaluate") else super().sampler(role)


def make_run(
    folder: Path,
    model: Path,
    texts: Sequence[str] = (),
    helpful: Sequence[str] = (),
    judge: Scripted | None = None,
    fuse: Fuse | None = None,
    more: Sequence[Prompt] = (),
    **settings: Any,
) -> TrainableRun:
    """The run in `folder`: the filter kept `texts` (of two prompts in turn), a third prompt has the `helpful` ones.

    `more`: training prompts beside the usual three.
    """
    train = [HEARTH, POEM, PRUNING, *more]
    run = open_as(TrainableRun, recipe(folder, train, model, **settings), folder / "runs", fuse or Fuse())
    assert isinstance(run, TrainableRun)
    run.judging = judge or Scripted(lambda request: "<think></think>score: 5", "judge")
    kept = [sample([HEARTH, PRUNING][number % 2].id, number, text) for number, text in enumerate(texts)]
    stages = {
        "generate": {"samples.jsonl": kept},
        "filter": {"kept.jsonl": kept, "rejected.jsonl": []},
        "helpful": {"samples.jsonl": [sample(SONG.id, number, text) for number, text in enumerate(helpful)]},
    }
    for name, files in stages.items():
        stage = run.stage(name, {})
        if not stage.complete:
            for file, rows in files.items():
                write_rows(stage.dir / file, rows)
            stage.finish(files, {})
    return run


def sample(prompt_id: str, number: int, text: str) -> dict[str, Any]:
    found = completed(text)
    return {
        "id": f"{prompt_id}#{number}",
        "prompt_id": prompt_id,
        "reasoning": found.reasoning,
        "answer": found.answer,
        "complete": found.complete,
    }
