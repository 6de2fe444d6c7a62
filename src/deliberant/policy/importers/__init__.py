"""Policies from elsewhere: any text whose outline a layout knows, SpecBench's JSON, and our own single file."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deliberant.policy.importers.building import Builder
from deliberant.policy.importers.exported import export_policy, is_exported, read_exported
from deliberant.policy.importers.footnotes import take_footnotes
from deliberant.policy.importers.layouts import NAMES, ROLES, Wishes, assign, check_titles, choose, fold_title, layout
from deliberant.policy.importers.sources import open_source
from deliberant.policy.importers.specbench import find_scenarios, import_specbench
from deliberant.policy.importers.types import Count, Imported
from deliberant.policy.loader import load_policy, refuse_policy_folder
from deliberant.policy.markdown import error_at
from deliberant.policy.outline import Outline
from deliberant.policy.types import Policy, print_policy, write_files
from deliberant.prompts.types import STYLES, Style
from deliberant.util.errors import UserError
from deliberant.util.files import explain_write_errors
from deliberant.util.names import suggest_name

NONE = Wishes()
STARTER = Path(__file__).parents[1] / "starter"
STYLED = "--style: this source has its own styles; leave the option out, or override one with --label"
STYLELESS = "have no response styles; name one for all clauses with --style, or say what a title means with --label"


def check_wishes(labels: Mapping[str, str], category_level: int | None, style: Style | None) -> Wishes:
    """What a user says, checked. UserError naming the nearest style or role."""
    for title, value in labels.items():
        if value not in (*STYLES, *ROLES):
            raise UserError(
                f"--label {title}={value}: unknown value '{value}'; {suggest_name(value, (*STYLES, *ROLES))}"
            )
    return Wishes({fold_title(title): value for title, value in labels.items()}, category_level, style)


def outline_sources(path: Path, wishes: Wishes, name: str | None = None) -> tuple[list[Outline], str]:
    """The outlines of a file, or of a folder's files, with the roles that a layout gives their parts; its name.

    UserError with file and line for what cannot be read, holds no rule, or has labels that contradict.
    """
    sources = open_source(path)
    check_titles(sources, wishes)
    chosen = name or choose(sources, wishes)
    for outline in sources:
        assign(outline, chosen, wishes)
    return sources, chosen


def import_policy(path: Path, wishes: Wishes = NONE, name: str | None = None) -> Imported:
    """The policy of a file or a folder. Without the `name` of a layout the content tells.

    UserError names file and line. What could not be imported is in `warnings`, and in no other way left out.
    """
    if not path.exists():
        raise error_at(path, 1, "no such file", "check the path")
    if folders := find_scenarios(path):
        if wishes.style is None:
            raise UserError(f"{path}:1: SpecBench's files {STYLELESS}")
        return import_specbench(folders, wishes.style)
    if path.is_file() and name is None and not wishes.labels and is_exported(path):
        if wishes.style:
            raise UserError(STYLED)
        return read_exported(path)
    sources, chosen = outline_sources(path, wishes, name)
    if not wishes.labels and (wishes.style is None) == ("style" in layout(chosen)):
        raise UserError(STYLED if wishes.style else f"{path}:1: {chosen} sources {STYLELESS}")
    builder = Builder(path.name, chosen, wishes.style, path.is_dir())
    for outline in sources:
        builder.take(outline)
    if chosen == "model-spec":
        take_footnotes(builder, path)
    imported = builder.done()
    short = [count for count in imported.counts if count.imported != count.found]
    assert imported.warnings or not short, f"left out in silence: {short}"
    return imported


def save_policy(policy: Policy, folder: Path) -> None:
    """Write a policy's folder, which must not exist or be empty, whole or not at all.

    UserError where it is not empty or lies in another policy's, or where the text does not read back as it is.
    """
    refuse_policy_folder(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not empty; name a new folder")
    with explain_write_errors(folder, "nothing was written"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            work = Path(temporary) / "policy"
            write_files(print_policy(policy), work)
            try:
                if load_policy(work) != policy:
                    raise UserError("it does not read back as it is")
            except UserError as error:
                told = str(error).replace(str(work), str(folder))
                raise UserError(f"the source makes no policy: {told} (nothing was written)") from None
            work.replace(folder)


def new_policy(folder: Path) -> None:
    """Copy the starter policy to a new folder, with the folder's name. UserError where it is there already."""
    refuse_policy_folder(folder)
    if folder.exists():
        raise UserError(f"{folder}: is there already; name a new folder")
    shutil.copytree(STARTER, folder)
    file, name = folder / "policy.md", json.dumps(folder.resolve().name, ensure_ascii=False)
    file.write_text(file.read_text("utf-8").replace("NAME", name), "utf-8")


__all__ = ["NAMES", "Count", "Imported", "Wishes", "export_policy", "import_policy", "new_policy", "outline_sources"]
__all__ += ["check_wishes", "save_policy"]
