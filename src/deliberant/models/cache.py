"""Every finished call to a remote model, on disk before anything depends on it: nothing is paid for twice.

One append-only file, `calls.jsonl`: a line a call, by a key over all that shapes the reply, the sample's seed included.
The account of what was spent is the sum over these lines, so that a resumed run counts on. Inspect's own cache is not
used: it does not sync, keeps no blocked replies, and unpickles what it finds.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from deliberant.models.budget import Account
from deliberant.models.types import Stop, Usage
from deliberant.util.errors import RunError
from deliberant.util.files import append_durably, explain_write_errors, json_line


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
    """The finished calls of one run, by key.

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
        self._replies: dict[str, Reply] = {}
        if self.file and self.file.exists():
            self._read(self.file)

    def __len__(self) -> int:
        return len(self._replies)

    def find(self, key: str) -> Reply | None:
        """The reply that was kept under `key`; None where there is none yet."""
        return self._replies.get(key)

    def add(self, key: str, model: str, reply: Reply) -> None:
        """Keep a reply; it is on disk when this returns. RunError on a full disk: the replies before it are safe."""
        if self.file:
            row = {"key": key, "stage": self.stage, "model": model, **asdict(reply)}
            with explain_write_errors(self.file, f"{len(self)} finished calls are kept"):
                self.file.parent.mkdir(parents=True, exist_ok=True)
                append_durably(self.file, json_line(row))
        self._keep(key, self.stage, model, reply)

    def _keep(self, key: str, stage: str, model: str, reply: Reply) -> None:
        self._replies[key] = reply
        for account in (self.account, self.stages.setdefault(stage, Account())):
            account.add(model, reply.usage)

    def _read(self, path: Path) -> None:
        *lines, torn = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                key, stage, model = row.pop("key"), row.pop("stage"), row.pop("model")
                self._keep(key, stage, model, Reply(**{**row, "usage": Usage(**row["usage"])}))
            except (ValueError, KeyError, TypeError) as error:
                raise RunError(f"{path}:{number}: is damaged; restore the file or delete this line") from error
        if torn:
            os.truncate(path, path.stat().st_size - len(torn))
