"""Fixtures every area shares: tiny checkpoints and a taught world, made once per session. Copy before changing one."""

from pathlib import Path

import pytest

from tests import taught
from tests.tiny import make_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 checkpoint: the generic sampling path."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-gpt2"), "gpt2")


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama checkpoint: the fast sampling path."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny-llama"), "llama")


@pytest.fixture(scope="session")
def taught_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose run goes through every stage in seconds, everything it names beside it. Slow to make."""
    return taught.build(tmp_path_factory.mktemp("world"))
