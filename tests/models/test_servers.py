"""A server of our own: started on a free port, waited for, gone when the process ends."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from deliberant.models import servers
from deliberant.util.errors import RunError, UserError
from deliberant.util.progress import NullProgress

LLAMA = "import sys; from tests.server import main; main(sys.argv[1], sys.argv[-1])"


class Said:
    """Remembers what was announced, and how far it came."""

    def __init__(self) -> None:
        self.lines = list[str]()
        self.steps = 0

    @contextmanager
    def __call__(self, label: str, total: int, brief: bool = False) -> Iterator["Said"]:
        self.lines.append(label)
        yield self

    def advance(self, n: int = 1) -> None:
        self.steps += n


@pytest.mark.slow
def test_it_runs_as_long_as_the_process(gguf: Path) -> None:
    script = f"""
        import sys
        from urllib.request import urlopen
        from deliberant.models.servers import start
        from tests.models.test_servers import LLAMA, Said
        said = Said()
        url = start((sys.executable, "-c", LLAMA, {str(gguf)!r}), said)
        assert said.steps == 1 and "starting the model server" in said.lines[0]
        with urlopen(url + "/models"):
            print(url)
        """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    url = ended.stdout.strip()
    assert url.startswith("http://127.0.0.1:")
    with pytest.raises(URLError):
        urlopen(f"{url}/models", timeout=5)


def test_one_that_does_not_start_shows_the_end_of_its_log() -> None:
    command = (sys.executable, "-c", "import sys; print('loading'); sys.exit('no such model: x')")
    with pytest.raises(RunError, match=r"ended with code 1: no such model: x \(all of it: .*\.log\)"):
        servers.start(command, NullProgress())


def test_without_vllm_or_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"vLLM is not installed; pip install 'deliberant\[vllm\]'"):
        servers.serve("org/name", NullProgress())
    monkeypatch.setattr(servers, "find_spec", lambda name: SimpleNamespace())
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="there is no GPU here"):
        servers.serve("org/name", NullProgress())
