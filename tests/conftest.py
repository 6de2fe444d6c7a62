"""Fixtures every area shares: tiny checkpoints and a world for whole runs. Copy before changing one."""

import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import world
from tests.tiny import make_tiny_model

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


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


def pytest_sessionstart() -> None:
    """A job started in the background ignores SIGINT, and so would every process that a test interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
