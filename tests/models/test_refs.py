"""References are read without loading or looking up anything; what could mean two things asks."""

from pathlib import Path

import pytest

from deliberant.models.checkpoint import model_hash
from deliberant.models.refs import MICRO, Reference, identify, parse_reference, providers
from deliberant.util.errors import RunError, UserError


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("micro", "micro", "micro"),
        ("hf:Qwen/Qwen3-4B", "hf", "Qwen/Qwen3-4B"),
        ("Qwen/Qwen3-4B", "hf", "Qwen/Qwen3-4B"),
        ("hf:openai/gpt-oss-20b", "hf", "openai/gpt-oss-20b"),
        ("vllm:openai/gpt-oss-20b", "vllm", "openai/gpt-oss-20b"),
        ("vllm:http://host:8000/v1#mine", "vllm", "http://host:8000/v1#mine"),
        ("api:openai/gpt-5", "api", "openai/gpt-5"),
        ("api:openai-api/llama/qwen", "api", "openai-api/llama/qwen"),
        ("api:together/meta-llama/Llama-3-8B", "api", "together/meta-llama/Llama-3-8B"),
    ],
)
def test_every_kind_is_read_and_written_back(text: str, kind: str, name: str) -> None:
    reference = parse_reference(text)
    assert (reference.kind, reference.name) == (kind, name)
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("openai/gpt-oss-20b", "write 'hf:openai/gpt-oss-20b' or 'api:openai/gpt-oss-20b'"),
        ("google/gemma-3-4b-it", "write 'hf:google/gemma-3-4b-it' or 'api:google/gemma-3-4b-it'"),
        ("api:opnai/gpt-5", "no provider 'opnai'; did you mean 'openai'?"),
        ("api:openai", "names no model; write api:openai/model"),
        ("api:openai-api/qwen", "write api:openai-api/service/model"),
        ("apii:openai/gpt-5", "there is no kind 'apii:'; did you mean 'api'?"),
        ("./models/mine", "no such folder"),
        ("gpt2", "no such folder"),
        ("hf:gpt2", "nor an org/name of the Hub"),
        ("vllm:/models/mine", "nor an org/name of the Hub"),
        ("a/b/c", "no such folder"),
    ],
)
def test_what_cannot_be_read_says_so_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        parse_reference(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "openai" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse_reference("openai/mine") == Reference("folder", "openai/mine")
    assert parse_reference(f"vllm:{tmp_path}") == Reference("vllm", str(tmp_path))


def test_providers_are_inspects() -> None:
    assert {"openai", "anthropic", "google", "ollama", "openai-api"} <= {*providers()}


def test_the_address_of_a_server() -> None:
    assert parse_reference("vllm:http://host:8000/v1/#mine").url == "http://host:8000/v1"
    assert parse_reference("vllm:org/name").url is None
    assert parse_reference("api:openai/gpt-5").url is None


def test_identity_without_loading(tiny_model: Path) -> None:
    folder, day = tiny_model, "2026-11-28"
    assert identify(parse_reference(str(folder)), day) == identify(parse_reference(f"vllm:{folder}"), day)
    assert identify(parse_reference(str(folder)), day) == model_hash(folder)
    assert identify(parse_reference("micro"), day) == model_hash(MICRO)
    assert identify(parse_reference("api:openai/gpt-5"), day) == "api:openai/gpt-5@2026-11-28"
    assert identify(parse_reference("vllm:http://h:1/v1#m"), day) == "vllm:http://h:1/v1#m@2026-11-28"


def test_identity_of_a_hub_model_without_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(RunError, match=r"the Hub cannot be reached .*no copy is here"):
        identify(parse_reference("hf:org/name"), "")
    repo = tmp_path / "models--org--name"
    (repo / "snapshots" / "abc123").mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc123")
    (repo / "snapshots" / "abc123" / "config.json").write_text("{}")
    assert identify(parse_reference("hf:org/name"), "") == "abc123"
