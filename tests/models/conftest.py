"""One llama.cpp server for all tests of remote models, and an Inspect that does not wait long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import make_tiny_gguf, running


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def llama(gguf: Path) -> Iterator[str]:
    """The server's address, without /v1."""
    with running(gguf) as address:
        yield address


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspect's pauses between attempts are short."""
    from inspect_ai.model import ModelAPI
    from tenacity import wait_fixed

    monkeypatch.setattr(ModelAPI, "retry_wait", lambda self: wait_fixed(0.05))
