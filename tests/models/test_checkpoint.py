from pathlib import Path

import pytest

from deliberant.models.checkpoint import model_folder, model_hash
from deliberant.models.local.sampler import LocalSampler
from deliberant.util.errors import UserError


def test_a_sampler_is_named_by_its_folders_hash(tiny_model: Path) -> None:
    assert LocalSampler.load(tiny_model).identity == model_hash(model_folder(tiny_model))


def test_training_leftovers_do_not_rename_a_model(tmp_path: Path) -> None:
    for name, text in (("config.json", "{}"), ("notes.md", "a"), ("optimizer.pt", "a")):
        (tmp_path / name).write_text(text)
    before = model_hash(tmp_path)
    (tmp_path / "notes.md").write_text("b")
    (tmp_path / "optimizer.pt").write_text("b")
    assert model_hash(tmp_path) == before
    (tmp_path / "config.json").write_text("{ }")
    assert model_hash(tmp_path) != before


def test_neither_a_model_nor_a_name_of_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model"):
        model_folder(tmp_path)
    with pytest.raises(UserError, match="is not a folder here, and the Hub did not give it"):
        model_folder(tmp_path / "none")


def test_loading_shows_no_progress_bar(tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    LocalSampler.load(tiny_model)
    assert capfd.readouterr().err == ""
    assert logging.is_progress_bar_enabled() == shown
