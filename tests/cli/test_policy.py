"""The `deliberant policy` verbs, from the command line to files and back."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deliberant.cli import app as cli
from deliberant.policy import load_policy, spec_view
from tests.policy.folders import FILES, WHOLE, write
from tests.says import Says
from tests.tiny import make_tiny_tokenizer


def invoke(*arguments: Any) -> Result:
    return CliRunner().invoke(cli.app, ["policy", *(str(each) for each in arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "demo", WHOLE)


def test_show_prints_the_exact_view_and_counts_beside_it(folder: Path) -> None:
    result = invoke("show", "weapons", "self-harm", "weapons", "--policy", folder)
    assert result.stdout == spec_view(load_policy(folder), ["weapons", "self-harm"]) + "\n"
    assert "summaries, rules and styles" in result.stderr and "estimated as UTF-8 bytes / 4" in result.stderr
    short = invoke("show", "weapons", "--compressed", "--policy", folder)
    assert short.stdout == spec_view(load_policy(folder), ["weapons"], compressed=True) + "\n"


def test_show_counts_by_a_tokenizer_and_keeps_to_a_budget(folder: Path, tmp_path: Path) -> None:
    make_tiny_tokenizer().save_pretrained(tmp_path / "bytes")
    view = spec_view(load_policy(folder), ["weapons"])
    size = len(view.encode())
    arguments = ("show", "weapons", "--policy", folder, "--tokenizer", tmp_path / "bytes")
    shown = json.loads(invoke(*arguments, "--json", "--budget", size).stdout)
    assert (shown["view"], shown["tokens"]["view"]) == (view, size)
    assert shown["tokens"]["summaries, rules and styles"] + shown["tokens"]["categories"]["weapons"] == size
    over = invoke(*arguments, "--budget", size - 3)
    assert (over.exit_code, over.stdout) == (2, "")
    assert f"{size} tokens, 3 over the budget of {size - 3}" in over.stderr


def test_lint_exits_by_what_it_finds(folder: Path, tmp_path: Path) -> None:
    found = invoke("lint", "--policy", folder)
    assert found.exit_code == 1
    assert f"{folder}/categories/weapons.md:21: warning: clause W2 is reached by no example" in found.stdout
    rows = json.loads(invoke("lint", "--policy", folder, "--json").stdout)
    assert {row["rule"] for row in rows} >= {"no-example", "dangling-id", "category-size"}
    clean = {name: FILES[name] for name in ("policy.md", "styles.md")}
    clean["styles.md"] = clean["styles.md"].partition("\n## safe_complete: ")[0]
    clauses = "".join(
        f"### {s} [A{n}] {s}\nExamples:\n- {s}\n" for n, s in enumerate(("refuse", "comply", "safe_complete"))
    )
    clean["categories/a.md"] = f"---\nid: a\n---\n# A\n## Summary\ns\n## Clauses\n{clauses}"
    notes = invoke("lint", "--policy", write(tmp_path / "clean", clean))
    assert (notes.exit_code, notes.stdout.count("\n"), notes.stderr) == (0, 1, "0 errors, 0 warnings, 1 notes\n")


def test_lint_reports_what_the_loader_refuses_with_exit_2(folder: Path) -> None:
    (folder / "style.md").write_text("x")
    found = invoke("lint", "--policy", folder, "--json")
    [row] = json.loads(found.stdout)
    assert (found.exit_code, row["path"], row["rule"]) == (2, "style.md", "broken")
    assert invoke("lint", "--policy", folder / "nowhere").exit_code == 2


def test_lint_with_a_model_counts_what_it_could_not_read(folder: Path, tiny_llama: Path) -> None:
    result = invoke("lint", "--policy", folder, "--with", tiny_llama, "--max-new-tokens", 4)
    assert result.exit_code == 1, result.output
    assert "pairs read by the model: 2 (0 conflict, 0 ambiguous, 0 clear, 2 unscored)" in result.stderr
    assert result.stdout.count("[model-unscored]") == 2


def test_diff_names_changes_and_prompts(folder: Path, tmp_path: Path) -> None:
    text = WHOLE["categories/weapons.md"].replace("[W1] refuse", "[W1] comply")
    new = write(tmp_path / "new", WHOLE | {"categories/weapons.md": text})
    rows = [("p1", "weapons"), ("p2", "self-harm"), ("p3", None)]
    prompts = tmp_path / "prompts.jsonl"
    said = [{"role": "user", "content": "x"}]
    lines = (json.dumps({"id": id, "messages": said, "category": name, "family": id}) for id, name in rows)
    prompts.write_text("\n".join(lines))
    result = invoke("diff", folder, new, "--prompts", prompts)
    assert result.stdout.splitlines() == [
        "~ W1 weapon instructions (weapons): restyled refuse -> comply",
        "views touched: weapons",
        "prompts touched: 1 of 3 (outside every category, so without a spec view: 1)",
        "p1",
    ]
    row = json.loads(invoke("diff", folder, new, "--prompts", prompts, "--json").stdout)
    assert row["changed"] == [{"id": "W1", "category": "weapons", "what": ["restyled"], "style": ["refuse", "comply"]}]
    assert row["prompts"] == {"touched": ["p1"], "untouched": ["p2", "p3"]} and row["touched"] == ["weapons"]
    ruled = write(tmp_path / "rules", WHOLE | {"rules.md": "# Rules\n\nx\n"})
    everywhere = invoke("diff", folder, ruled, "--prompts", prompts)
    assert "prompts touched: 2 of 3 (outside every category, so without a spec view: 1)\np1\np2\n" in everywhere.stdout
    assert invoke("diff", "micro", "micro").stdout == "no difference\nviews touched: none\n"
    assert "all: every spec view holds" in invoke("diff", folder, write(tmp_path / "old", FILES)).stdout


def test_export_and_import_are_inverse(folder: Path, tmp_path: Path) -> None:
    file, back = tmp_path / "one.md", tmp_path / "back"
    assert invoke("export", "--policy", folder, "--to", file).stdout == f"{file}\n"
    assert file.read_text() == invoke("export", "--policy", folder).stdout
    assert "is there already" in invoke("export", "--policy", folder, "--to", file).stderr
    result = invoke("import", file, "--to", back)
    assert (result.exit_code, result.stdout) == (0, f"{back}\n")
    assert "clauses: 4 found, 4 imported" in result.stderr
    assert load_policy(back) == load_policy(folder)
    assert "is not empty" in invoke("import", file, "--to", back).stderr


def test_nothing_is_written_into_a_policy_which_would_load_no_more(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.md"
    assert invoke("export", "--to", file).exit_code == 0
    for place in ("styles.md", "new.md", "categories/new.md", "deeper/new.md"):
        for verb in (["import", file], ["export"]):
            told = invoke(*verb, "--to", folder / place)
            assert (told.exit_code, f"{folder / place}: lies in the policy {folder}" in told.stderr) == (2, True)
    assert load_policy(folder) == load_policy(write(tmp_path / "same", WHOLE))


def test_an_import_that_skips_exits_1_and_lists(tmp_path: Path) -> None:
    (tmp_path / "spec.md").write_text("# A {#a}\n## B {#b authority=root}\nSee [?](#gone).\n")
    result = invoke("import", tmp_path / "spec.md", "--to", tmp_path / "p", "--style", "refuse")
    assert result.exit_code == 1 and f"warning: {tmp_path}/spec.md:3: link to #gone" in result.stderr
    again = invoke("import", tmp_path / "spec.md", "--to", tmp_path / "r", "--style", "refuse", "--json")
    row = json.loads(again.stdout)
    assert (again.exit_code, row["policy"], row["hash"]) == (1, f"{tmp_path}/r", load_policy(tmp_path / "r").hash)
    assert row["counts"][0].keys() == {"what", "found", "imported"} and "link to #gone" in row["warnings"][0]
    wrong = invoke("import", tmp_path / "spec.md", "--to", tmp_path / "q", "--style", "refuze")
    assert (wrong.exit_code, wrong.stderr) == (2, "error: --style: unknown value 'refuze'; did you mean 'refuse'?\n")


def test_an_outline_shows_what_each_part_would_become(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# P\n\n## Includes\n- guns\n\n## Odd\nx\n")
    shown = invoke("outline", tmp_path / "a.md")
    assert (shown.exit_code, shown.stdout.count("->")) == (0, 5) and "-> refuse label" in shown.stdout
    assert "Odd  -> text ?" in shown.stdout and "read as labelled" in shown.stderr
    row = json.loads(invoke("outline", tmp_path / "a.md", "--json", "--label", "Odd=aside").stdout)
    assert row["layout"] == "labelled" and row["parts"][3]["is"] == "aside"
    made = invoke("import", tmp_path / "a.md", "--to", tmp_path / "p", "--label", "Includes=comply")
    assert made.exit_code == 0 and load_policy(tmp_path / "p").clause("P1").style == "comply"
    assert "write it as TITLE=MEANING" in invoke("outline", tmp_path / "a.md", "--label", "Odd").stderr


def test_a_new_policy_lints_clean(tmp_path: Path) -> None:
    assert invoke("new", tmp_path / "mine").stdout == f"{tmp_path}/mine\n"
    found = invoke("lint", "--policy", tmp_path / "mine")
    assert (found.exit_code, found.stderr) == (0, "0 errors, 0 warnings, 1 notes\n")
    loaded = load_policy(tmp_path / "mine")
    assert loaded.name == "mine" and all(clause.why for clause in loaded.clauses.values())
    assert "is there already" in invoke("new", tmp_path / "mine").stderr


def test_lint_mends_what_needs_no_decision_and_annotates_for_github(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    invoke("new", folder)
    file = folder / "categories/example.md"
    file.write_text(file.read_text().replace("bike", "bi\u202eke").replace("parcel is [E3]", "parcel is [E03]"))
    shown = invoke("lint", "--policy", folder, "--github")
    assert f"::error file={file},line=" in shown.stdout and ",title=dangling-id::" in shown.stdout
    mended = invoke("lint", "--policy", folder, "--fix")
    assert (mended.exit_code, "2 places mended" in mended.stderr) == (0, True)
    assert "bike" in file.read_text() and "[E3]" in file.read_text()
    assert "is built in" in invoke("lint", "--policy", "micro", "--fix").stderr


def test_a_model_drafts_clauses_and_shows_them_below_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = Says(lambda *_: "rule: asks for drums\nstyle: refuse\nquote: nobody drums")
    monkeypatch.setattr("deliberant.models.open.open_model", lambda *_: says)
    (tmp_path / "house.txt").write_text("At night nobody drums.\nBe kind to guests.\n\nThe porter has the keys.\n")
    shown = invoke("import", tmp_path / "house.txt", "--to", tmp_path / "p", "--with", "any")
    assert shown.exit_code == 0, shown.stderr
    assert "house.txt:1-2 drafted by any\n- At night nobody drums.\n- Be kind to guests.\n" in shown.stderr
    assert "+ asks for drums [H1] refuse" in shown.stderr
    assert "lines (0 aside, 0 listed): 3 found, 3 imported" in shown.stderr
    assert invoke("lint", "--policy", tmp_path / "p").exit_code == 1
    assert (
        "leave --style" in invoke("import", "x.md", "--to", tmp_path / "q", "--with", "any", "--style", "comply").stderr
    )


IMPORTS = """
import sys
from deliberant.cli.app import app
try:
    app(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("words", ["lint --policy micro", "show theft --policy micro", "diff micro micro"])
def test_a_policy_is_read_without_torch(words: str) -> None:
    """That keeps it under a second, which would be no test on a busy machine."""
    command = [sys.executable, "-c", IMPORTS, "policy", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not {"torch", "transformers", "tokenizers", "numpy"} & set(done.stderr.split())
