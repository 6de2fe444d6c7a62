"""`import deliberant`: the public names, loaded when used, and the examples of docs/notebook.md."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deliberant
from tests.test_readme import blocks

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "trl", "inspect_ai", "datasets", "numpy", "pydantic", "yaml"}


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, deliberant; dir(deliberant); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not HEAVY & loaded
    assert {name for name in loaded if name.startswith("deliberant")} == {"deliberant", "deliberant.version"}


def test_every_public_name_is_there_and_on_the_page() -> None:
    page = (ROOT / "docs/notebook.md").read_text(encoding="utf-8")
    for name in set(deliberant.__all__) - {"__version__"}:
        assert getattr(deliberant, name) is not None
        assert re.search(rf"\b{name}\b", page), name
    assert dir(deliberant) == sorted(deliberant.__all__)
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        deliberant.generat  # noqa: B018


def test_a_model_asked_in_a_notebook_cites_what_it_was_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    example = blocks("docs/notebook.md", "python")[0]
    assert len(example.splitlines()) <= 10
    exec(example, {})
    reasoning, answer = capsys.readouterr().out.splitlines()[-2:]
    ids = set(re.findall(r"'(\w+)'", answer))
    assert reasoning and ids and ids <= set(deliberant.load_policy("src/deliberant/micro/policy").clauses)


@pytest.mark.slow
def test_a_run_in_a_notebook(
    world_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the world of tests/world.py: the same lines, seconds for minutes."""
    shutil.copytree(world_recipe.parent, tmp_path / "recipes")
    (tmp_path / "recipes/recipe.yaml").rename(tmp_path / "recipes/smoke.yaml")
    monkeypatch.chdir(tmp_path)
    exec(blocks("docs/notebook.md", "python")[1], {})
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"base", "sft"}
