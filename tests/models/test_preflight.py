import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deliberant.models.checkpoint import position_size
from deliberant.models.local import hardware
from deliberant.models.preflight import Checkpoint, disk, memory
from deliberant.util.errors import UserError
from tests.tiny import CHAT_TEMPLATE


@pytest.fixture
def copy(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "model"))


def lines(folder: Path) -> list[str]:
    return [f"{each.severity} {each.line}" for each in Checkpoint(folder).findings("base")]


def settle(folder: Path, **settings: Any) -> None:
    """Change the tokenizer's settings; None removes one."""
    path = folder / "tokenizer_config.json"
    held = json.loads(path.read_text()) | settings
    path.write_text(json.dumps({name: value for name, value in held.items() if value is not None}))


def test_a_sound_model_has_nothing_to_say(tiny_llama: Path) -> None:
    assert lines(tiny_llama) == []


def test_no_chat_template(copy: Path) -> None:
    (copy / "chat_template.jinja").unlink()
    [line] = lines(copy)
    assert line.startswith("stop base: ") and "has no chat template; put chat_template.jinja there, or name" in line


def test_a_date_and_an_opened_block_in_the_template(copy: Path) -> None:
    dated = "{{ strftime_now('%Y-%m-%d') }}" + CHAT_TEMPLATE.replace("assistant\n{%", "assistant\n<think>\n{%")
    (copy / "chat_template.jinja").write_text(dated)
    opened, date = lines(copy)
    assert opened == "ok base: the chat template opens the reasoning (<think>)"
    assert date.startswith("warn base: the chat template writes today's date") and "base.model" in date


def test_no_pad_token_and_no_end_of_turn(copy: Path) -> None:
    settle(copy, pad_token=None)
    assert lines(copy) == ["ok base: the tokenizer has no pad token; its end of turn is used instead"]
    settle(copy, eos_token=None)
    assert lines(copy) == ["stop base: the tokenizer has no end of turn (eos_token); name another base.model"]


def test_code_of_its_own_is_not_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "mine.py").write_text("raise SystemExit('was run')\n")
    with pytest.raises(UserError, match=r"code of its own, which is not run; .*base\.trust_remote_code: true"):
        Checkpoint(copy)


def test_parameters_come_from_the_headers(tiny_llama: Path, copy: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_llama)
    assert Checkpoint(tiny_llama).parameters == model.num_parameters()
    (copy / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be read"):
        _ = Checkpoint(copy).parameters


def test_memory_and_disk(tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Checkpoint(tiny_llama)
    assert position_size(model.config) == 2 * 2 * 2 * 8  # keys and values, layers, heads, size
    row = position_size(model.config) * 4 * 100
    trained = model.parameters * (4 + 16) + row

    def found(free: int, installed: int, arm: str | None) -> str:
        monkeypatch.setattr(hardware, "machine_memory", lambda: (free, installed))
        return memory({"base": model, "filter": model}, arm, 100).severity

    assert found(trained - 1, trained - 1, "base") == "stop"
    assert found(trained, 3 * trained, "base") == "warn"
    assert found(2 * trained, 3 * trained, "base") == "ok"
    assert found(trained - 1, trained - 1, None) == "ok"
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=1))
    line = disk(model, 2, tmp_path / "runs" / "none-yet")
    assert line.severity == "stop" and line.message.endswith(f"are free at {tmp_path}") and "--root" in line.remedy
