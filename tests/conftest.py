"""Fixtures every area shares: tiny checkpoints and a world for whole runs. Copy before changing one."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import world
from tests.server import make_tiny_gguf, running
from tests.tiny import make_tiny_model

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True, scope="module")
def frozen() -> None:
    """What is here already is no garbage: stages and trainers collect often, and would search all of it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 checkpoint: the generic sampling path."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-gpt2"), "gpt2")


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama checkpoint: the fast sampling path."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-llama"), "llama")


@pytest.fixture(scope="session")
def world_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose run goes through every stage in seconds, everything it names beside it."""
    return world.build(tmp_path_factory.mktemp("world"))


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


def pytest_sessionstart() -> None:
    """A job started in the background ignores SIGINT, and so would every process that a test interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
