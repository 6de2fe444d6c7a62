"""SpecBench's specifications (Apache-2.0) as a policy: a scenario's folder, or the folder of them all.

A scenario (scenario.json, specifications.json) is a category: its name the title, its description the summary. Each
specification is a clause, in order; ids end in S (safety) or B (behavioural) and a number, e.g. CS1, CB1. SpecBench has
no response styles; the caller names one for all clauses. prompts.json is no part of a policy.
"""

import json
import re
from pathlib import Path
from typing import Any

from deliberant.policy.importers.types import WRITTEN, Count, Imported, guidelines, prefixes
from deliberant.policy.markdown import mistake, read_document
from deliberant.policy.types import Category, Clause, Policy
from deliberant.prompts.types import Style

FILES = {
    "scenario.json": ("name", "description"),
    "specifications.json": ("safety_specifications", "behavioral_specifications"),
}


def scenarios(path: Path) -> list[Path]:
    """The folders of scenarios that a path names; none where it is no SpecBench."""
    places = [path, *sorted(path.iterdir())] if path.is_dir() else [path.parent] if path.name in FILES else []
    return [folder for folder in places if any((folder / name).exists() for name in FILES)]


def import_specbench(folders: list[Path], style: Style) -> Imported:
    """The policy, with counts of scenarios and specifications. UserError with file and line for other JSON."""
    ids = {folder: re.sub(r"[^\w-]+", "-", folder.resolve().name.lower()) for folder in folders}
    letters = prefixes(ids.values(), size=3)
    categories = []
    for folder, id in ids.items():
        (title, summary), kinds = (_read(folder / name) for name in FILES)
        clauses = [
            Clause(f"{letters[id]}{code}", _line(said), style, category=id, source=f"{folder.name}/{name} {code}")
            for name, letter, said_of in zip(2 * ["specifications.json"], "SB", kinds, strict=True)
            for code, said in ((f"{letter}{place}", said) for place, said in enumerate(said_of, start=1))
        ]
        categories.append(Category(id, _line(title), _line(summary), "", tuple(clauses)))
    total = sum(len(category.clauses) for category in categories)
    policy = Policy("SpecBench", "imported", "", guidelines(), tuple(sorted(categories, key=lambda each: each.file)))
    counts = Count("scenarios", len(folders), len(categories)), Count("specifications", total, total)
    remarks = (f"{style} is the style of all {total} clauses (--style): SpecBench has none", WRITTEN)
    return Imported(policy, counts, (*remarks, "prompts.json: prompts are no part of a policy"))


def _line(text: Any) -> str:
    return " ".join(str(text).split())


def _read(file: Path) -> list[Any]:
    """What the keys of a file hold, which are all that it has."""
    keys, text = FILES[file.name], read_document(file)[1].text
    try:
        data = json.loads(text)
        assert set(data) == set(keys), f"has {', '.join(data)}"
    except (ValueError, TypeError, AssertionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise mistake(file, line, f"is none of SpecBench's ({error})", f"give it {' and '.join(keys)}") from None
    return [data[key] for key in keys]
