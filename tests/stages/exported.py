"""A run whose training data can be exported: samples and verdicts by script, real rows of sft, nothing trained."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deliberant.models.formats import formats
from deliberant.prompts import Prompt, write_prompts
from deliberant.stages.filter import filter
from deliberant.stages.generate import generate
from deliberant.stages.helpful import helpful
from deliberant.stages.sft import collect_rows
from deliberant.util.files import write_rows
from tests.stages.scripted import HEARTH, PRUNING, Scripted, ScriptedRun, make_run
from tests.tiny import make_tiny_tokenizer

SOURCE = "a | b <script>"
TEXTS = (
    "<think>warm [F2] and [F2]</think>Use dry wood.",
    "<think>[F1]</think>No.",
    "<think>nothing</think>Cut.",
    "<think>[T1]</think>In spring.",
)
"""Two samples of HEARTH, then two of PRUNING: the first and the last are kept."""


class _Base(Scripted):
    tokenizer = make_tiny_tokenizer()
    format = formats()["micro"]
    opened = False

    def encode(self, messages: Any) -> list[int]:
        return list(self.tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_dict=False))


def exportable(folder: Path, sft: bool = True, rl_only: Sequence[Prompt] = (), **settings: Any) -> ScriptedRun:
    """The run in `folder`. The judge gives 5 and 4 to what cites F2 or T1, and 2 to the rest; F2 is all it names.

    `rl_only`: what rl practises on in place of sft's prompts.
    """
    drawn = iter([*TEXTS, "<think>song</think>la", "no tags"])

    def judged(request: Any) -> str:
        text = request.messages[-1]["content"]
        score = (4 if request.seed % 2 else 5) if "[F2] and" in text or "[T1]" in text else 2
        return f"<think>a</think>{'clause: [F2] ' if '[F2]' in text else ''}score: {score}"

    train = [replace(HEARTH, source=SOURCE, licence="CC0", framing="plain"), PRUNING]
    base, judge = _Base(lambda request: next(drawn)), Scripted(judged, "judge")
    if rl_only:
        write_prompts(folder / "rl.jsonl", rl_only)
        files = {name: str(folder / f"{name}.jsonl") for name in ("train", "rl", "helpful", "cases")}
        settings["prompts"] = files
    run = make_run(
        folder, base, judge, train=train, generate={"samples": 2}, helpful={"samples": 2}, filter={"k": 2}, **settings
    )
    generate(run)
    filter(run)
    helpful(run)
    if sft:
        stage = run.stage("sft", {})
        rows = collect_rows(run, "sft")
        write_rows(stage.dir / "rows.jsonl", (row.as_json() for row in rows.rows))
        stage.finish(["rows.jsonl"], rows.counts)
    return run
