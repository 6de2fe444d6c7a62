import pytest

from deliberant.models.templates import Templates


@pytest.fixture(scope="session")
def templates() -> Templates:
    """The default prompt files."""
    return Templates.load("default")
