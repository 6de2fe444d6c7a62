"""SpecBench's specifications (Apache-2.0) as a policy: a scenario's folder, or the folder of them all.

A scenario (scenario.json, specifications.json) is a category: its name the title, its description the summary. Each
specification is a clause, in order; ids end in S (safety) or B (behavioural) and a number, e.g. CS1, CB1. SpecBench has
no response styles; the caller names one for all clauses. prompts.json is no part of a policy.
"""

import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported, prefixes
from deliberant.policy.markdown import mistake, read_document
from deliberant.policy.types import Category, Clause, Policy
from deliberant.prompts.types import Style
from deliberant.util.names import whole
from deliberant.util.yaml import mistaken, parsed

FILES = ("scenario.json", "specifications.json")


def _line(text: str) -> str:
    """A text on one line: runs of white space become one space."""
    line = " ".join(whole(text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")).split())
    if not line or any(ord(character) < 32 for character in line):
        raise ValueError("is blank, or holds a control character; write one sentence")
    return line


Line = Annotated[str, AfterValidator(_line)]


class _Scenario(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Line
    description: Line


class _Specifications(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    safety_specifications: Annotated[list[Line], Field(max_length=999)]
    behavioral_specifications: Annotated[list[Line], Field(max_length=999)]


Model = TypeVar("Model", bound=BaseModel)


def is_specbench(path: Path) -> bool:
    """Whether a path is a file of SpecBench, or a folder with such files."""
    places = [path, *path.iterdir()] if path.is_dir() else []
    return path.name in FILES or any((place / name).exists() for place in places for name in FILES)


def import_specbench(path: Path, style: Style) -> Imported:
    """The policy, with counts of scenarios and specifications.

    UserError with file and line: no JSON (a file cut short), unknown or missing keys or one given twice, a scenario
    with one of its two files, a specification that is no text, is empty or holds control characters.
    """
    places = [path, *sorted(path.iterdir())] if path.is_dir() else [path.parent]
    folders = [folder for folder in places if any((folder / name).exists() for name in FILES)]
    ids = {folder: re.sub(r"[^\w-]+", "-", folder.resolve().name.lower()) for folder in folders}
    for folder in folders:
        if twin := next((each for each in folders if each != folder and ids[each] == ids[folder]), None):
            what = f"is the category {ids[folder]!r}, as {str(twin)!r} is"
            raise mistake(folder, 1, what, "rename one of the two folders")
    letters = prefixes(ids.values(), size=3)
    categories, remarks = [], []
    for folder, id in ids.items():
        scenario, lists = _read(folder / FILES[0], _Scenario), _read(folder / FILES[1], _Specifications)
        kinds = {"S": lists.safety_specifications, "B": lists.behavioral_specifications}
        place = f"{folder.name}/{FILES[1]}"
        clauses = [
            Clause(f"{letters[id]}{kind}{number}", title, style, category=id, source=f"{place} {kind}{number}")
            for kind, titles in kinds.items()
            for number, title in enumerate(titles, start=1)
        ]
        if not clauses:
            raise mistake(folder / FILES[1], 1, "has no specification", "write one, or move the scenario's folder away")
        categories.append(Category(id, scenario.name, scenario.description, "", tuple(clauses)))
        if (folder / "prompts.json").exists():
            remarks.append(f"{folder / 'prompts.json'}: prompts are no part of a policy; not imported")
    total = sum(len(category.clauses) for category in categories)
    policy = Policy("SpecBench", "imported", "", GUIDELINES, tuple(sorted(categories, key=lambda each: each.file)))
    counts = Count("scenarios", len(folders), len(categories)), Count("specifications", total, total)
    given = f"{style} is the style of all {total} clauses (--style): SpecBench has none"
    return Imported(policy, counts, (given, WRITTEN, *remarks))


def _read(file: Path, model: type[Model]) -> Model:
    """A JSON file, read as the YAML that it is, which knows lines and keys given twice."""
    text = re.sub(r"^\t+", " ", read_document(file)[1].text, flags=re.MULTILINE)
    data, places = parsed(file, text)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise mistaken(error, model, places) from None
