"""SpecBench's specifications (Apache-2.0) as a policy: a scenario's folder, or the folder of them all.

A scenario (scenario.json, specifications.json) is a category: its name the title, its description the summary. Each
specification is a clause, in order; ids end in S (safety) or B (behavioural) and a number, e.g. CS1, CB1. SpecBench has
no response styles; the caller names one for all clauses. prompts.json is no part of a policy.
"""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported, choose_prefixes
from deliberant.policy.markdown import join_lines, read_document
from deliberant.policy.types import Category, Clause, Policy
from deliberant.prompts.types import Style
from deliberant.util.yaml import Model, read_model

FILES = ("scenario.json", "specifications.json")


class _Scenario(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    description: str


class _Specifications(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    safety_specifications: list[str]
    behavioral_specifications: list[str]


def find_scenarios(path: Path) -> list[Path]:
    """The folders of scenarios that a path names; none where it is no SpecBench."""
    places = [path, *sorted(path.iterdir())] if path.is_dir() else [path.parent] if path.name in FILES else []
    return [folder for folder in places if any((folder / name).exists() for name in FILES)]


def import_specbench(folders: list[Path], style: Style) -> Imported:
    """The policy, with counts of scenarios and specifications. UserError with file and line for other JSON."""
    ids = {folder: re.sub(r"[^\w-]+", "-", folder.resolve().name.lower()) for folder in folders}
    letters = choose_prefixes(ids.values(), size=3)
    categories = []
    for folder, id in ids.items():
        scenario, lists = _read(folder / FILES[0], _Scenario), _read(folder / FILES[1], _Specifications)
        kinds = {"S": lists.safety_specifications, "B": lists.behavioral_specifications}
        clauses = []
        for code, said in ((f"{kind}{n}", said) for kind in kinds for n, said in enumerate(kinds[kind], start=1)):
            source = f"{folder.name}/{FILES[1]} {code}"
            clauses.append(Clause(f"{letters[id]}{code}", join_lines(said), style, category=id, source=source))
        title, summary = join_lines(scenario.name), join_lines(scenario.description)
        categories.append(Category(id, title, summary, "", tuple(clauses)))
    total = sum(len(category.clauses) for category in categories)
    policy = Policy("SpecBench", "imported", "", GUIDELINES, tuple(sorted(categories, key=lambda each: each.file)))
    counts = Count("scenarios", len(folders), len(categories)), Count("specifications", total, total)
    remarks = (f"{style} is the style of all {total} clauses (--style): SpecBench has none", WRITTEN)
    return Imported(policy, counts, (*remarks, "prompts.json: prompts are no part of a policy"))


def _read(file: Path, model: type[Model]) -> Model:
    """A JSON file, read as the YAML that it is, which knows lines and keys given twice."""
    return read_model(file, model, re.sub(r"^\t+", " ", read_document(file)[1].text, flags=re.MULTILINE))[0]
