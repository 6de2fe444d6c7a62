"""Every finished call to a remote model, on disk before anything depends on it: nothing is paid for twice.

One append-only file, `calls.jsonl`: a line a call, by a key over all that shapes the reply, the sample's seed included.
The account of what was spent is the sum over these lines, so that a resumed run counts on. Inspect's own cache is not
used: it does not sync, keeps no blocked replies, and unpickles what it finds.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from deliberant.models.budget import Account
from deliberant.models.types import Stop, Usage
from deliberant.util.errors import RunError
from deliberant.util.files import append_durably, json_line, writing


@dataclass(frozen=True)
class Reply:
    """One call's outcome as the provider gave it.

    `reasoning`: where the provider returns it apart; "" where it hides it; None where any is in `text`. `opened`: the
    text goes on from an opening tag that was sent.
    """

    text: str
    reasoning: str | None
    stop: Stop
    usage: Usage
    opened: bool = False


class Calls:
    """The finished calls of one run, by key; `hits` counts requests whose calls were found, not made.

    `account` is of all of them, `stages` by what `stage` said when they were made.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Open or begin `folder`/calls.jsonl; without a folder they are kept in memory alone.

        A last line that a kill cut short is dropped. RunError with file:line where another one is damaged.
        """
        self.file = folder / "calls.jsonl" if folder else None
        self.account = Account()
        self.stages: dict[str, Account] = {}
        self.stage = ""
        self.hits = 0
        self._places: dict[str, int | Reply] = {}
        if self.file and self.file.exists():
            self._read(self.file)

    def __len__(self) -> int:
        return len(self._places)

    def find(self, key: str) -> Reply | None:
        """The reply that was kept under `key`; None where there is none yet."""
        place = self._places.get(key)
        if not isinstance(place, int):
            return place
        assert self.file
        with self.file.open("rb") as file:
            file.seek(place)
            return _reply(json.loads(file.readline()))

    def add(self, key: str, model: str, reply: Reply) -> None:
        """Keep a reply; it is on disk when this returns. RunError on a full disk: the replies before it are safe."""
        self._count(self.stage, model, reply.usage)
        if self.file is None:
            self._places[key] = reply
            return
        with writing(self.file, f"{len(self)} finished calls are kept"):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            place = self.file.stat().st_size if self.file.exists() else 0
            append_durably(self.file, json_line({"key": key, "stage": self.stage, "model": model, **asdict(reply)}))
        self._places[key] = place

    def _count(self, stage: str, model: str, usage: Usage) -> None:
        for account in (self.account, self.stages.setdefault(stage, Account())):
            account.add(model, usage)

    def _read(self, path: Path) -> None:
        place = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    self._places[row["key"]] = place
                    self._count(row["stage"], row["model"], _reply(row).usage)
                except (ValueError, KeyError, TypeError) as error:
                    raise RunError(f"{path}:{number}: is damaged; restore the file or delete this line") from error
                place += len(line)
        if place < path.stat().st_size:
            with path.open("r+b") as file:
                file.truncate(place)


def _reply(row: dict[str, object]) -> Reply:
    usage = Usage(**row["usage"])  # type: ignore[arg-type]
    return Reply(row["text"], row["reasoning"], row["stop"], usage, bool(row["opened"]))  # type: ignore[arg-type]
