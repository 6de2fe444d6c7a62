import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from deliberant.micro import MODEL_DIR
from deliberant.models.local.decoder import Decoder, Source
from deliberant.models.local.sampler import LocalSampler
from deliberant.models.local.stored import Stored, load_tokenizer, stored
from deliberant.models.types import Request, Sampling
from deliberant.prompts import Message
from tests.tiny import Architecture, make_tiny_model

TURNS = (Message(role="user", content="how do i bake bread?"),)


@pytest.fixture(params=["llama", "qwen3", "built-in"])
def folder(request: Any, tmp_path: Path) -> Path:
    return MODEL_DIR if request.param == "built-in" else make_tiny_model(tmp_path, request.param)


def live(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()


def test_it_draws_what_the_live_model_draws(folder: Path) -> None:
    assert stored(folder) is not None
    quick = LocalSampler.load(folder)
    slow = LocalSampler(live(folder), AutoTokenizer.from_pretrained(folder), identity=quick.identity)
    requests = [Request(TURNS, seed) for seed in range(8)]
    for sampling in (Sampling(0.0, 1.0, 24), Sampling(1.0, 0.9, 24)):
        assert quick.sample(requests, sampling) == slow.sample(requests, sampling)
        assert "".join(quick.stream(TURNS, sampling, 3)) == "".join(slow.stream(TURNS, sampling, 3))
    assert quick.encode(TURNS) == slow.encode(TURNS) and quick._ends == slow._ends
    assert isinstance(quick._model, Stored)


def test_the_decoder_gets_the_same_numbers_bit_for_bit(folder: Path) -> None:
    found = stored(folder)
    assert found is not None
    here, there = Decoder(found.source()), Decoder(Source.of(live(folder)))
    for name in ("heads", "kv_heads", "dim", "eps", "rotary_scale"):
        assert getattr(here, name) == getattr(there, name)
    for name in ("frequencies", "embedding", "head"):
        assert torch.equal(getattr(here, name), getattr(there, name)), name
    assert len(here.layers) == len(there.layers)
    for ours, theirs in zip(here.layers, there.layers, strict=True):
        for name, value in vars(ours).items():
            assert value is getattr(theirs, name) is None or torch.equal(value, getattr(theirs, name)), name


def test_the_model_is_there_when_it_is_asked_for(tiny_llama: Path) -> None:
    sampler = LocalSampler.load(tiny_llama)
    before = sampler.sample_ids([[1, 2, 3]], [0], Sampling(1.0, 1.0, 16))
    assert sampler.model.num_parameters() > 0 and sampler.model is sampler.model
    sampler.refresh()
    assert sampler.sample_ids([[1, 2, 3]], [0], Sampling(1.0, 1.0, 16)) == before


def edit_config(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v != "gone"}))

    return edit


def edit_tensors(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return edit


EDITS: dict[str, Callable[[Path], object]] = {
    "another rotary": edit_config(rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}),
    "part of the rotary": edit_config(
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5}
    ),
    "an old config": edit_config(rope_parameters="gone", rope_theta=1e4),
    "a number left to defaults": edit_config(num_key_value_heads="gone"),
    "another family": edit_config(model_type="mistral"),
    "quantised": edit_config(quantization_config={"quant_method": "gptq"}),
    "biases": edit_config(attention_bias=True),
    "a tensor more": edit_tensors(lambda tensors: tensors.update({"extra": torch.zeros(1)})),
    "a tensor less": edit_tensors(lambda tensors: tensors.pop("model.norm.weight")),
    "an adapter": lambda folder: (folder / "adapter_config.json").write_text("{}"),
    "shards": lambda folder: (folder / "model.safetensors").rename(folder / "model-1-of-2.safetensors") and None,
    "damaged weights": lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 64),
    "a damaged config": lambda folder: (folder / "config.json").write_text("{"),
    "no object": lambda folder: (folder / "config.json").write_text("[]"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_what_leaves_something_to_interpret_is_left_to_transformers(
    tiny_llama: Path, tmp_path: Path, edit: Callable[[Path], object]
) -> None:
    copy = shutil.copytree(tiny_llama, tmp_path / "copy")
    assert stored(copy) is not None
    edit(copy)
    assert stored(copy) is None


def test_a_model_of_another_kind_takes_the_general_way(tiny_model: Path) -> None:
    assert stored(tiny_model) is None
    assert LocalSampler.load(tiny_model).model.config.model_type == "gpt2"


@pytest.mark.parametrize("ends", [[1, 2], 2, None])
def test_the_end_of_a_turn_is_that_of_the_generation_config(tiny_llama: Path, tmp_path: Path, ends: Any) -> None:
    copy = shutil.copytree(tiny_llama, tmp_path / "copy")
    for path, value in (("generation_config.json", {"eos_token_id": ends}), ("generation_config.json", None)):
        (copy / path).write_text(json.dumps(value)) if value else (copy / path).unlink()
        slow = LocalSampler(live(copy), AutoTokenizer.from_pretrained(copy), identity="")
        assert LocalSampler.load(copy)._ends == slow._ends


@pytest.mark.parametrize("name", ["TokenizersBackend", "PreTrainedTokenizerFast", "Qwen2Tokenizer", None])
def test_the_tokenizer_is_the_automatic_one(tiny_llama: Path, tmp_path: Path, name: str | None) -> None:
    copy = shutil.copytree(tiny_llama, tmp_path / "copy")
    config = json.loads((copy / "tokenizer_config.json").read_text()) | {"tokenizer_class": name}
    (copy / "tokenizer_config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    ours, theirs = load_tokenizer(copy), AutoTokenizer.from_pretrained(copy)
    assert type(ours) is type(theirs)
    assert ours.encode("héllo <think> 12") == theirs.encode("héllo <think> 12")
    assert ours.chat_template == theirs.chat_template


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_nothing_of_transformers_is_imported(architecture: Architecture, tmp_path: Path) -> None:
    code = (
        "import sys; from deliberant.models.local.sampler import LocalSampler; from deliberant.models.types import *\n"
        "sampler = LocalSampler.load(sys.argv[1])\n"
        "list(sampler.stream(({'role': 'user', 'content': 'hi'},), Sampling(0.0, 1.0, 4), 0))\n"
        "print(*sys.modules)"
    )
    folder = make_tiny_model(tmp_path, architecture)
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "torch" in loaded
    assert not {"transformers", "accelerate", "sympy", "scipy"} & loaded
