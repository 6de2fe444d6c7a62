import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deliberant.run.schedule import schedule
from deliberant.stages.export import export, schemas
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import read_rows
from tests.stages.exported import SOURCE, exportable
from tests.stages.scripted import HEARTH, PRUNING, SONG, ScriptedRun


@pytest.fixture
def run(tmp_path: Path) -> ScriptedRun:
    return exportable(tmp_path)


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever loads the set has no network and no cache but its own."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def load(folder: Path, config: str, cache: Path) -> Any:
    from datasets import load_dataset

    return load_dataset(str(folder), config, split="train", cache_dir=str(cache))


def test_it_loads_as_a_data_set_and_says_of_each_row_what_it_is(run: ScriptedRun, tmp_path: Path) -> None:
    assert export(run, tmp_path / "out", rejected=True) == {"sft": 3, "rl": 3, "rejected": 3}
    sft, rl, rejected = (load(tmp_path / "out", name, tmp_path / "cache") for name in ("sft", "rl", "rejected"))
    for name, rows in (("sft", sft), ("rl", rl), ("rejected", rejected)):
        assert rows.column_names == schemas()[name].names
    trained = read_rows(run.root / "sft" / "rows.jsonl")
    assert [(row["sample_id"], row["tokens"]) for row in sft] == [(row["sample_id"], row["tokens"]) for row in trained]
    by_id = {row["sample_id"]: row for row in sft}
    assert by_id.keys() == {"hearth#0", "pruning#1", "song#0"}
    assert by_id["hearth#0"] | {"scores": None, "score": None, "tokens": None} == {
        "prompt": list(HEARTH.messages),
        "completion": [{"role": "assistant", "content": "<think>warm [F2] and [F2]</think>Use dry wood."}],
        "reasoning": "warm [F2] and [F2]",
        "answer": "Use dry wood.",
        "cited": ["F2", "F2"],
        "categories": ["fire"],
        "clause": "F2",
        "style": "comply",
        "source": "policy",
        "score": None,
        "scores": None,
        "sample_id": "hearth#0",
        "prompt_id": "hearth",
        "family": "hearth",
        "framing": "plain",
        "prompt_source": SOURCE,
        "licence": "CC0",
        "tokens": None,
    }
    assert by_id["hearth#0"]["score"] == min(by_id["hearth#0"]["scores"]) >= 4
    assert by_id["pruning#1"]["prompt"] == list(PRUNING.messages)
    assert (by_id["pruning#1"]["clause"], by_id["pruning#1"]["style"]) == (None, None)
    assert (by_id["song#0"]["source"], by_id["song#0"]["scores"], by_id["song#0"]["score"]) == ("helpful", [], None)
    assert [(row["sample_id"], row["reason"]) for row in rejected] == [
        ("hearth#1", "low score"),
        ("pruning#0", "cites no clause"),
        ("song#1", "malformed reasoning"),
    ]
    assert rejected[0]["rationales"] == ["score: 2"] * 2 and rejected[2]["completion"][0]["content"] == "no tags"
    hints = {row["prompt_id"]: row["hints"] for row in rl}
    assert hints == {
        "hearth": [],
        "pruning": [{"source": "label", "style": "comply", "confidence": None, "clause": None}],
        SONG.id: [],
    }
    assert [row["draws"] for row in rl] == [None] * 3


def test_draws_are_those_of_the_arms_plan(tmp_path: Path) -> None:
    run = exportable(tmp_path, rl={"steps": 5, "prompts_per_step": 4, "group_size": 4})
    run.stage("rl", {}).finish([], {})
    export(run, tmp_path / "out")
    prompts = [*run.sft_prompts(), *run.helpful_prompts()]
    plan = [prompt.id for prompt in schedule(prompts, 5, 4, 0.25, 0)]
    rows = load(tmp_path / "out", "rl", tmp_path / "cache")
    assert [row["draws"] for row in rows] == [plan.count(row["prompt_id"]) for row in rows]
    assert sum(row["draws"] for row in rows) == 20


def test_prompts_of_rl_alone_are_rows_of_rl_and_those_of_sft_keep_their_samples(tmp_path: Path) -> None:
    ring = replace(PRUNING, id="hearth", family="ring", source="elsewhere", licence="MIT")  # ids are of a file
    run = exportable(tmp_path, rl_only=[ring])
    export(run, tmp_path / "out")
    made = {name: load(tmp_path / "out", name, tmp_path / "cache") for name in ("sft", "rl")}
    assert [row["family"] for row in made["rl"]] == ["ring", SONG.family]
    assert {row["family"] for row in made["sft"]} == {HEARTH.family, PRUNING.family, SONG.family}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| elsewhere | MIT | 1 | 0 |" in card and "| CC0 | 0 | 1 |" in card


def test_an_id_in_both_prompt_files_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.stages.scripted.SONG", replace(SONG, id="hearth"))
    run = exportable(tmp_path)
    export(run, tmp_path / "out")
    texts = {(row["source"], row["prompt"][0]["content"]) for row in load(tmp_path / "out", "sft", tmp_path / "cache")}
    assert {("helpful", "write a song"), ("policy", "how do i light a hearth?")} < texts


def test_no_row_of_the_sft_set_holds_policy_text_in_its_prompt(run: ScriptedRun, tmp_path: Path) -> None:
    from deliberant.policy import traces

    export(run, tmp_path / "out")
    said = [turn["content"] for row in load(tmp_path / "out", "sft", tmp_path / "cache") for turn in row["prompt"]]
    assert said and not [trace for trace in traces(run.policy) for text in said if trace in text]


def test_the_same_run_gives_the_same_bytes(run: ScriptedRun, tmp_path: Path) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    for name in ("one", "two"):
        export(run, tmp_path / name, rejected=True)
    first = files(tmp_path / "one")
    assert first == files(tmp_path / "two")
    assert first.keys() == {"README.md", *(f"{name}/train.parquet" for name in schemas())}


def test_a_folder_that_holds_something_is_left_alone_unless_forced(run: ScriptedRun, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    export(run, out, rejected=True)
    (out / "notes.txt").write_text("mine")
    before = (out / "README.md").read_bytes()
    with pytest.raises(UserError, match=r"out: is not empty; name another folder, or give --force"):
        export(run, out)
    assert (out / "README.md").read_bytes() == before
    export(run, out, force=True)
    assert (out / "notes.txt").read_text() == "mine" and not (out / "rejected/train.parquet").exists()
    assert "rejected/train" not in (out / "README.md").read_text()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is not empty"):
        export(run, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "NOTES\n"),
        ("README.md", "---\ntags:\n- mine\n---\n\ntags:\n- deliberant\n- deliberative-alignment\n"),
        ("sft/train.parquet", "mine"),
        ("notes.txt", "mine"),
    ],
)
def test_force_replaces_exports_only(run: ScriptedRun, tmp_path: Path, name: str, text: str) -> None:
    mine = tmp_path / "own" / name
    mine.parent.mkdir(parents=True)
    mine.write_text(text)
    for force in (False, True):
        with pytest.raises(UserError, match="own: is not empty, and holds no export with its card; name another"):
            export(run, tmp_path / "own", force=force)
    assert [path for path in (tmp_path / "own").rglob("*") if path.is_file()] == [mine] and mine.read_text() == text


def test_nothing_is_exported_into_the_run(run: ScriptedRun, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    for folder in (run.root, run.root / "new", run.root.parent / "other" / ".." / run.root.name / "sft"):
        with pytest.raises(UserError, match="lies in the run itself; name a folder outside of"):
            export(run, folder, force=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_has_not_finished_or_was_changed_is_named(tmp_path: Path) -> None:
    run = exportable(tmp_path, sft=False)
    with pytest.raises(UserError, match=r"sft has not finished; run `deliberant sft"):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    rows = run.root / "filter" / "kept.jsonl"
    rows.write_bytes(rows.read_bytes()[:-30])
    again = ScriptedRun.reopen(run.root)
    with pytest.raises(RunError, match=r"kept\.jsonl: was changed since filter finished"):
        export(again, tmp_path / "out")


@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk_leaves_no_card_and_the_same_command_ends_it(
    run: ScriptedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    """The card comes last: without one the folder is no data set that anybody would take for whole."""
    from deliberant.util import files

    whole = files.write_atomically

    def failing(path: Path, parts: Any) -> None:
        if path.parent.name == "rl":
            with files.explain_write_errors(path, "nothing finished is lost"):
                raise OSError(28, "No space left on device")
        whole(path, parts)

    if force:
        export(run, tmp_path / "out", rejected=True)
    with monkeypatch.context() as patch:
        patch.setattr("deliberant.stages.export.write_atomically", failing)
        with pytest.raises(RunError, match="cannot write"):
            export(run, tmp_path / "out", force=force)
    assert not (tmp_path / "out" / "README.md").exists()
    export(run, tmp_path / "out", force=force)
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert names == ["README.md", "rl/train.parquet", "sft/train.parquet"]


def test_the_card_counts_what_the_manifests_count(run: ScriptedRun, tmp_path: Path) -> None:
    export(run, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text()
    counts = json.loads((run.root / "filter" / "manifest.json").read_text())["counts"]
    for name, count in counts.items():
        if name.startswith("rejected/"):
            assert re.search(rf"^\| rejected: {name.partition('/')[2]} \| {count} \|", text, re.MULTILINE), name
    assert "| a \\| b &lt;script&gt; | CC0 | 1 | 1 |" in text
    assert "| not stated | not stated | 2 | 2 |" in text


@pytest.mark.slow
def test_trl_trains_on_the_rows_as_they_are(run: ScriptedRun, tmp_path: Path, tiny_llama: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    export(run, tmp_path / "out")
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_llama),
        processing_class=AutoTokenizer.from_pretrained(tiny_llama),
        train_dataset=load(tmp_path / "out", "sft", tmp_path / "cache"),
        args=SFTConfig(
            output_dir=str(tmp_path / "trained"),
            max_steps=1,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
        ),
    )
    trainer.train()
    [row] = [row for row in trainer.train_dataset if row["sample_id"] == "hearth#0"]
    labelled = [label for label in row["labels"] if label != -100]
    assert trainer.processing_class.decode(labelled).startswith("<think>warm [F2] and [F2]</think>Use dry wood.")
