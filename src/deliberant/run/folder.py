"""A stage's folder: the key it was begun under, its journals, and the manifest that is written last."""

import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from deliberant.run.arms import ARMS
from deliberant.util.errors import RunError, UserError
from deliberant.util.files import code_hash, file_hash, fingerprint, read_json, write_json
from deliberant.util.journal import Journal
from deliberant.version import VERSION

MANIFEST = "manifest.json"
BEGUN = "begun.json"
TRAINER = "trainer"
"""Folder for what a stage needs to resume and for nothing else; it goes when the stage has finished, as journals do."""


class Output(TypedDict):
    """`rows` is the number of lines of a JSONL file, None for anything else."""

    sha256: str
    rows: int | None


class Manifest(TypedDict):
    """What a finished stage says of itself. `seconds` is the wall time of the process that finished it."""

    stage: str
    key: str
    inputs: dict[str, Any]
    outputs: dict[str, Output]
    counts: dict[str, int]
    seconds: float
    version: str
    code: str


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished stage, None where there is none yet; RunError where it is torn."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    remedy = "delete it and run the stage again to write it anew"
    manifest = read_json(path, remedy)
    if not Manifest.__required_keys__ <= manifest.keys():
        raise RunError(f"{path}: is no manifest; {remedy}")
    return cast(Manifest, manifest)


def command(stage: str, run_root: Path) -> str:
    """The command that runs one stage of a run."""
    if arm := ARMS.get(stage):
        return f"deliberant {arm.stage} {run_root} --arm {stage}"
    return f"deliberant {stage.partition('/')[0]} {run_root}"


def describe_redo(stage: str, run_root: Path) -> str:
    """What to do to have a stage done anew; what the arms answered lies below evaluate/ and stays."""
    folder = run_root / stage
    gone = f"{folder / MANIFEST} and {folder / BEGUN}" if stage == "evaluate" else str(folder)
    return f"delete {gone} and run `{command(stage, run_root)}` again"


def read_finished(run_root: Path, stage: str) -> Manifest | None:
    """The manifest of a stage, None where it has not finished.

    RunError naming the first output that is missing or no longer has the bytes that the manifest names.
    """
    manifest = read_manifest(run_root / stage)
    for name, output in manifest["outputs"].items() if manifest else ():
        path = run_root / stage / name
        wrong = "is missing" if not path.is_file() else "was changed" if file_hash(path) != output["sha256"] else None
        if wrong:
            raise RunError(f"{path}: {wrong} since {stage} finished; restore it, or {describe_redo(stage, run_root)}")
    return manifest


def sft_file(root: Path) -> Path:
    """The prompts of a run that samples were drawn for. Earlier versions had one file for sft and rl."""
    old = root / "prompts" / "train.jsonl"
    return old if old.exists() else root / "prompts" / "sft.jsonl"


class StageFolder:
    """One stage's place in a run. The key is the fingerprint of the stage's name and inputs."""

    def __init__(self, run_root: Path, name: str, inputs: Mapping[str, Any]) -> None:
        """Begin or resume. UserError where it was begun with other inputs, RunError where its files are torn."""
        self.name = name
        self.inputs = dict(inputs)
        self.dir = run_root / name
        self._root = run_root
        self.key = fingerprint({"stage": name, "inputs": self.inputs})
        self._started = time.monotonic()
        begun = self.dir / BEGUN
        if not begun.exists():
            write_json(begun, {"stage": name, "key": self.key, "inputs": self.inputs})
            return
        note = read_json(begun, describe_redo(name, run_root))
        if note.get("key") != self.key:
            before = note.get("inputs", {})
            changed = [
                key
                for key in sorted(self.inputs.keys() | before.keys())
                if fingerprint(self.inputs.get(key)) != fingerprint(before.get(key))
            ]
            raise UserError(
                f"{self.dir}: was begun with other inputs ({', '.join(changed)}); use a new run folder, or "
                f"{describe_redo(name, run_root)}"
            )

    @property
    def complete(self) -> bool:
        """Whether the stage has finished, here and with these inputs. RunError where an output was changed since."""
        if read_finished(self._root, self.name) is None:
            return False
        self._drop_scrap()
        return True

    def journal(self, file: str) -> Journal:
        """The journal behind one output file of this stage."""
        return Journal(self.dir / file)

    def finish(self, outputs: Iterable[str | Path], counts: Mapping[str, int]) -> Manifest:
        """Hash `outputs` (files, or whole folders, below `dir`), write the manifest, drop what only resuming needs."""
        files: list[Path] = []
        for output in outputs:
            path = self.dir / output
            assert path.exists(), path
            files += sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        manifest = Manifest(
            stage=self.name,
            key=self.key,
            inputs=self.inputs,
            outputs={file.relative_to(self.dir).as_posix(): _describe(file) for file in files},
            counts=dict(counts),
            seconds=round(time.monotonic() - self._started, 3),
            version=VERSION,
            code=code_hash(),
        )
        write_json(self.dir / MANIFEST, manifest)
        self._drop_scrap()
        return manifest

    def _drop_scrap(self) -> None:
        for journal in self.dir.glob("*.journal"):
            journal.unlink()
        shutil.rmtree(self.dir / TRAINER, ignore_errors=True)


def _describe(file: Path) -> Output:
    return Output(sha256=file_hash(file), rows=file.read_bytes().count(b"\n") if file.suffix == ".jsonl" else None)
