"""Policies from elsewhere: OpenAI's Model Spec, SpecBench, and the single-file form that gpt-oss-safeguard reads."""

import re
import tempfile
from pathlib import Path
from typing import Literal

from deliberant.policy.importers.model_spec import import_model_spec
from deliberant.policy.importers.single_file import export_policy, import_single_file
from deliberant.policy.importers.specbench import import_specbench
from deliberant.policy.importers.types import Count, Imported
from deliberant.policy.loader import load_policy, outside_policies
from deliberant.policy.markdown import mistake, read_document
from deliberant.policy.printer import print_policy
from deliberant.policy.types import Policy
from deliberant.prompts.types import Style
from deliberant.util.errors import UserError
from deliberant.util.files import writing

Format = Literal["model-spec", "specbench", "single-file"]
TAGGED = re.compile(r"^#{1,6}[ \t].*\{#[\w-]+ .*\bauthority=", re.MULTILINE)
"""A heading that only the Model Spec has."""
FORMATS: tuple[Format, ...] = ("model-spec", "specbench", "single-file")


def import_policy(path: Path, format: Format | None = None, style: Style | None = None) -> Imported:
    """The policy of a file (or of SpecBench's folder). Without `format` the content tells.

    `style` is for sources without response styles, and an error where the source has them. UserError names file and
    line; see each importer. What could not be imported is in `warnings`, and in no other way left out.
    """
    if not path.exists():
        raise mistake(path, 1, "no such file", "check the path")
    kind = format or _format(path)
    if kind == "single-file":
        if style:
            raise UserError("--style: this source has its own styles (VIOLATES, SAFE); leave the option out")
        imported = import_single_file(path)
    elif style is None:
        raise UserError(
            f"--style: a {kind} source has no response styles; name the one that all clauses get, then edit"
        )
    else:
        imported = import_model_spec(path, style) if kind == "model-spec" else import_specbench(path, style)
    short = [count for count in imported.counts if count.imported != count.found]
    assert imported.warnings or not short, f"left out in silence: {short}"
    return imported


def save_policy(policy: Policy, folder: Path) -> None:
    """Write a policy's folder, which must not exist or be empty, whole or not at all.

    UserError where it is not empty or lies in another policy's, or where the text does not read back as it is.
    """
    outside_policies(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not empty; name a new folder")
    with writing(folder, "nothing was written"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            work = Path(temporary) / "policy"
            for name, text in print_policy(policy).items():
                file = work / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(text.encode())
            try:
                same = load_policy(work) == policy
            except UserError as error:
                told = str(error).replace(str(work), str(folder))
                raise UserError(f"the source makes no policy: {told} (nothing was written)") from None
            if not same:
                raise UserError(f"{folder}: the policy does not read back as it is; nothing was written")
            work.replace(folder)


def _format(path: Path) -> Format:
    if path.is_dir() or path.suffix == ".json":
        return "specbench"
    return "model-spec" if TAGGED.search(read_document(path)[1].mask) else "single-file"


__all__ = ["FORMATS", "Count", "Format", "Imported", "export_policy", "import_policy", "save_policy"]
