"""Categories by model for prompts that have none.

    deliberant prompts label new.jsonl --policy POLICY --with MODEL --to labelled.jsonl [--check]

The paper starts from pairs of prompt and category (its 2.3.1) and does not say where the categories come from. Here a
model that is shown the policy's summaries reads each prompt k times, and the majority names them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from deliberant.judge.judge import format_conversation, request_seed, with_fence
from deliberant.judge.labels import Label, Reading, Rule, label_of, majority
from deliberant.models.types import Request, Sampler, Sampling
from deliberant.policy import Policy, summary_view
from deliberant.prompts import Prompt, read_partly_labelled, write_prompts
from deliberant.prompts.rows import prompt_row
from deliberant.prompts.types import Message
from deliberant.templates.loader import Templates, placeholders
from deliberant.util.files import Row, file_hash, name_beside, write_rows
from deliberant.util.journal import delete_journal, in_chunks
from deliberant.util.progress import NullProgress, Progress

FILE = "label.txt"


class Labeller:
    """Reads prompts with one model and the prompt files label.txt and label.yaml."""

    def __init__(
        self, sampler: Sampler, templates: Templates, sampling: Sampling, policy: Policy, k: int = 3, seed: int = 0
    ) -> None:
        """UserError for a mistake in label.yaml."""
        assert k >= 1, "a labeller reads at least once"
        self.sampler, self.templates, self.sampling, self.policy = sampler, templates, sampling, policy
        self.k, self.seed = k, seed
        self.rule = Rule(templates, [category.id for category in policy.categories])
        self._view = summary_view(policy)

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything that shapes its labels."""
        hashes = {"policy": self.policy.hash, "templates": self.templates.hash, "model": self.sampler.identity}
        return {**hashes, "sampling": asdict(self.sampling), "k": self.k, "seed": self.seed}

    def read(self, prompts: Sequence[Prompt]) -> list[Label]:
        """One label per prompt, in order.

        All readings go to the sampler as one batch; a reading's randomness hangs on the prompt, its index and the seed.
        Unscored readings are retried once, with another seed, and may stay so.
        """
        shown = [self.messages(prompt) for prompt in prompts]
        asked = [(messages, index) for messages in shown for index in range(self.k)]
        readings = self._draw(asked, attempt=0)
        again = [place for place, reading in enumerate(readings) if reading.unscored is not None]
        for place, reading in zip(again, self._draw([asked[place] for place in again], attempt=1), strict=True):
            readings[place] = reading
        return [majority(readings[start : start + self.k]) for start in range(0, len(readings), self.k)]

    def messages(self, prompt: Prompt) -> tuple[Message, ...]:
        """What the model is shown for one prompt; fenced, save where the prompt file has no place for a fence."""
        values = {"spec_view": self._view, "conversation": format_conversation(prompt)}
        if "fence" in placeholders(self.templates.files.get(FILE, "")):
            values = with_fence(values, self.seed)
        return tuple(self.templates.render(FILE, values))

    def _draw(self, asked: Sequence[tuple[tuple[Message, ...], int]], attempt: int) -> list[Reading]:
        if not asked:
            return []
        requests = [Request(shown, request_seed(self.seed, shown, index, attempt)) for shown, index in asked]
        drawn = self.sampler.sample(requests, self.sampling)
        return [self.rule.read(completion) for completion in drawn]


@dataclass(frozen=True)
class Checked:
    """One prompt that was labelled before and read all the same."""

    family: str
    labelled: tuple[str, ...]
    label: Label


@dataclass(frozen=True)
class Labelled:
    """What became of the rows. `unlabelled` ones got no label and are not in the output; `checked` with --check."""

    rows: int
    kept: int
    labels: dict[str, Label]
    unlabelled: int
    checked: list[Checked]


def label(
    path: Path,
    to: Path,
    labeller: Labeller,
    by: str,
    *,
    check: bool = False,
    keep_none: bool = False,
    chunk: int = 64,
    progress: Progress | None = None,
) -> Labelled:
    """Writes the prompts of `path` to `to`, in order, those without a category with the one that the model names.

    A prompt whose category is blank has none, unless `keep_none` says that blank means outside every category; one
    whose category is not stated at all never has. What has one is kept as it is. The `source` of what a model labelled
    ends on `; category by BY@<model hash>`. Prompts without a majority go to `unlabelled_file(to)`, every reading to
    `readings_file(to)`. A killed call resumes. UserError for a mistake in the file, or a journal begun otherwise.
    """
    given = read_partly_labelled(path, labeller.rule.menu, labeller.policy.clauses)
    stated = {prompt.id for prompt, said in given if prompt.categories or (said and keep_none)}
    asked = [prompt for prompt, _ in given if check or prompt.id not in stated]
    rows = readings_file(to)

    def work(prompts: Sequence[Prompt]) -> list[Row]:
        labels = labeller.read(prompts)
        return [_row(prompt, label, prompt.id in stated) for prompt, label in zip(prompts, labels, strict=True)]

    inputs = {"file": file_hash(path), "labeller": labeller.inputs, "check": check, "keep_none": keep_none}
    read = in_chunks(rows, inputs, asked, chunk, work, progress or NullProgress(), "label")
    labels = {row["id"]: label_of(row) for row in read}
    origin = f"category by {by}@{labeller.sampler.identity[:8]}"
    out: list[Prompt] = []
    left: list[Row] = []
    for prompt, _ in given:
        if prompt.id in stated:
            out.append(prompt)
        elif (categories := labels[prompt.id].categories) is not None:
            source = f"{prompt.source}; {origin}" if prompt.source else origin
            out.append(replace(prompt, categories=categories, source=source))
        else:
            left.append({key: value for key, value in prompt_row(prompt).items() if key != "categories"})
    write_rows(rows, read)
    if left:
        write_rows(unlabelled_file(to), left)
    else:
        unlabelled_file(to).unlink(missing_ok=True)
    write_prompts(to, out)
    delete_journal(rows)
    return Labelled(
        rows=len(given),
        kept=len(stated),
        labels={id: label for id, label in labels.items() if id not in stated},
        unlabelled=len(left),
        checked=[
            Checked(prompt.family, prompt.categories, labels[prompt.id])
            for prompt, _ in given
            if check and prompt.id in stated
        ],
    )


def readings_file(to: Path) -> Path:
    """Where every reading goes: beside the labelled prompts."""
    return name_beside(to, "readings.jsonl")


def unlabelled_file(to: Path) -> Path:
    """Where prompts go that no majority could name; `label` reads that file, too, with another `to`."""
    return name_beside(to, "unlabelled.jsonl")


def _row(prompt: Prompt, label: Label, stated: bool) -> Row:
    return {"id": prompt.id, "labelled": prompt.categories if stated else None, **asdict(label)}
