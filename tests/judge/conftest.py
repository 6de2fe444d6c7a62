import pytest

from deliberant.templates.loader import Templates


@pytest.fixture(scope="session")
def templates() -> Templates:
    """The default prompt files."""
    return Templates.load("default")
