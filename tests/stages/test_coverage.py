import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deliberant.report.coverage import ALL, NO_CLAUSE, UNKNOWN, Coverage, Tally
from deliberant.stages.coverage import coverage
from deliberant.stages.filter import filter
from deliberant.stages.generate import generate
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import read_rows
from tests.stages.scripted import HEARTH, PRUNING, Scripted, ScriptedRun, make_run


def run_of(tmp_path: Path, texts: dict[str, list[str]]) -> ScriptedRun:
    """A run through filter whose samples reason as `texts` say; those of a prompt come in order."""
    train = [
        replace(HEARTH, framing="plain", source="a"),
        replace(HEARTH, id="story", framing="fiction", source="a"),
        PRUNING,
    ]
    drawn = iter([f"<think>{text}</think>x" for each in train for text in texts[each.id]])
    base, judge = Scripted(lambda request: next(drawn)), Scripted(lambda request: "<think>a</think>score: 5", "judge")
    run = make_run(tmp_path, base, judge, train=train, generate={"samples": 2}, filter={"k": 1})
    generate(run)
    return run


def totals(found: Coverage) -> dict[str, Tally]:
    return {row.name: row.total for row in found.rows}


@pytest.fixture
def run(tmp_path: Path) -> ScriptedRun:
    return filtered_run(tmp_path)


def filtered_run(tmp_path: Path) -> ScriptedRun:
    """Six samples, of which four are kept: three cite F1, one F2, one T1, one an unknown clause and one none."""
    run = run_of(
        tmp_path,
        {"hearth": ["[F1] and [F2] and [F1]", "[F1]"], "story": ["[F1]", "[X9]"], "pruning": ["nothing", "[T1]"]},
    )
    filter(run)
    return run


def test_a_sample_counts_once_for_each_clause_it_cites(run: ScriptedRun) -> None:
    found = coverage(run.root)
    assert totals(found) == {
        "F1": Tally(2, 3, 3),
        "F2": Tally(1, 1, 1),
        "T1": Tally(1, 1, 1),
        NO_CLAUSE: Tally(1, 1, 0),
        UNKNOWN: Tally(1, 1, 0),
        ALL: Tally(3, 6, 4),
    }
    assert found.columns == (("fiction", "a"), ("not stated", "not stated"), ("plain", "a"))
    fire = found.rows[0]
    assert (fire.category, fire.style) == ("fire", "refuse")
    assert fire.cells == {("plain", "a"): Tally(1, 2, 2), ("fiction", "a"): Tally(1, 1, 1)}
    kept, rejected = (read_rows(run.root / "filter" / f"{name}.jsonl") for name in ("kept", "rejected"))
    assert (len(kept), len(kept) + len(rejected)) == (4, 6)


def test_a_clause_that_nothing_cites_has_its_row(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"hearth": ["[F1]"] * 2, "story": ["[F1]"] * 2, "pruning": ["[F1]"] * 2})
    filter(run)
    assert totals(coverage(run.root))["T1"] == Tally(0, 0, 0)


def test_a_run_that_was_not_filtered_is_an_error(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"hearth": ["a"] * 2, "story": ["a"] * 2, "pruning": ["a"] * 2})
    with pytest.raises(UserError, match="filter has not finished; run `deliberant filter"):
        coverage(run.root)
    with pytest.raises(UserError, match="is no run folder"):
        coverage(tmp_path / "none")


def damage(run: ScriptedRun, file: str, change: Any) -> None:
    """Change a file of the filter and its manifest's hash of it."""
    from deliberant.util.files import file_hash

    path = run.root / "filter" / file
    path.write_bytes(change(path.read_bytes()))
    manifest = json.loads((run.root / "filter" / "manifest.json").read_text())
    manifest["outputs"][file]["sha256"] = file_hash(path)
    (run.root / "filter" / "manifest.json").write_text(json.dumps(manifest))


def test_damaged_files_are_named(run: ScriptedRun) -> None:
    damage(run, "rejected.jsonl", lambda data: data[:-20])
    with pytest.raises(RunError, match=r"rejected\.jsonl:2: is torn"):
        coverage(run.root)
    (run.root / "filter" / "kept.jsonl").write_text("edited")
    with pytest.raises(RunError, match=r"kept\.jsonl: was changed since filter finished"):
        coverage(run.root)


def test_a_sample_of_an_unknown_prompt_is_named(run: ScriptedRun) -> None:
    damage(run, "kept.jsonl", lambda data: data.replace(b'"prompt_id": "hearth"', b'"prompt_id": "earth"', 1))
    with pytest.raises(RunError, match=r"kept\.jsonl:1: prompt 'earth' is not in prompts/sft\.jsonl"):
        coverage(run.root)
