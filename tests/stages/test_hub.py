"""The Hub is played by what `huggingface_hub` would call; no network, no token."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

from deliberant.stages.hub import check, push
from deliberant.util.errors import RunError, UserError


class Hub:
    """A Hub that holds one data set, or none, and remembers what was asked of it."""

    def __init__(self, private: bool | None = None) -> None:
        self.private = private
        self.created: list[dict[str, Any]] = []
        self.uploaded: list[dict[str, Any]] = []

    def repo_info(self, name: str, repo_type: str) -> Any:
        if self.private is None:
            raise _missing(name)
        return SimpleNamespace(private=self.private)

    def create_repo(self, name: str, **settings: Any) -> None:
        self.created.append({"name": name, **settings})

    def upload_folder(self, **settings: Any) -> Any:
        files = {path.relative_to(settings["folder_path"]).as_posix() for path in settings["folder_path"].rglob("*.*")}
        self.uploaded.append({**settings, "files": files})
        return SimpleNamespace(repo_url=f"hub/{settings['repo_id']}")


def _missing(name: str) -> Exception:
    from httpx2 import Request, Response
    from huggingface_hub.errors import RepositoryNotFoundError

    return RepositoryNotFoundError(f"404: no {name}", response=Response(404, request=Request("GET", "hub:")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "train.parquet").write_bytes(b"x")
    (tmp_path / "README.md").write_text("card")
    return tmp_path


def play(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> Hub:
    for name in ("repo_info", "create_repo", "upload_folder"):
        monkeypatch.setattr(huggingface_hub, name, getattr(hub, name))
    return hub


@pytest.mark.parametrize("public", [False, True])
def test_a_new_data_set_is_private_unless_said_otherwise(
    folder: Path, monkeypatch: pytest.MonkeyPatch, public: bool
) -> None:
    hub = play(monkeypatch, Hub())
    assert push(folder, "me/data", public) == "hub/me/data"
    assert hub.created == [{"name": "me/data", "repo_type": "dataset", "private": not public}]
    [upload] = hub.uploaded
    assert (upload["repo_id"], upload["repo_type"]) == ("me/data", "dataset")
    assert upload["files"] == {"README.md", "sft/train.parquet"}


def test_one_that_exists_is_replaced_only_by_force(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = play(monkeypatch, Hub(private=True))
    with pytest.raises(UserError, match="hub:me/data: exists already; name another one, or give --force"):
        push(folder, "me/data")
    assert not hub.uploaded
    push(folder, "me/data", force=True)
    assert not hub.created and "rejected/*" in hub.uploaded[0]["delete_patterns"]


def test_nothing_private_lands_in_a_public_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = play(monkeypatch, Hub(private=False))
    with pytest.raises(UserError, match="exists already and is public; make it private, or give --public"):
        push(folder, "me/data", force=True)
    assert not hub.uploaded
    push(folder, "me/data", public=True, force=True)
    assert len(hub.uploaded) == 1


def test_what_the_hub_says_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from httpx2 import ConnectError

    hub = play(monkeypatch, Hub())
    for error in (ConnectError("no route\nto host"), OSError("403 Forbidden\nmore")):
        monkeypatch.setattr(hub, "upload_folder", lambda error=error, **_: (_ for _ in ()).throw(error))
        play(monkeypatch, hub)
        with pytest.raises(RunError) as found:
            push(folder, "me/data")
        assert "\n" not in str(found.value) and str(error).split("\n")[0] in str(found.value)


def test_names_and_tokens_are_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    for name in ("data", "me/", "/data", "me/data/more", "../data", "me/da ta", ""):
        with pytest.raises(UserError, match="is not the name of a data set; write OWNER/NAME"):
            check(name)
    with pytest.raises(UserError, match="hub:me/data: there is no token; run `hf auth login`, or set HF_TOKEN"):
        check("me/data")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    check("me/da-ta.1")
