"""SpecBench's specifications (Apache-2.0) as a policy: a scenario's folder, or the folder of them all.

A scenario (scenario.json, specifications.json) is a category: its name the title, its description the summary. Each
specification is a clause, in order; ids end in S (safety) or B (behavioural) and a number, e.g. CS1, CB1. SpecBench has
no response styles; the caller names one for all clauses. prompts.json is no part of a policy.
"""

import json
import re
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

from deliberant.policy.importers.types import GUIDELINES, WRITTEN, Count, Imported, prefixes
from deliberant.policy.markdown import clip, mistake
from deliberant.policy.types import Category, Clause, Policy
from deliberant.prompts.types import Style
from deliberant.util.files import no_pipe
from deliberant.util.names import nearest, repeated

LISTS = {"safety_specifications": "S", "behavioral_specifications": "B"}
SCENARIO = ("name", "description")
DIGITS = 4300
"""Of the longest whole number that Python reads."""
FILES = ("scenario.json", "specifications.json")


def import_specbench(path: Path, style: Style) -> Imported:
    """The policy, with counts of scenarios and specifications.

    UserError with file and line: no JSON (a file cut short), unknown or missing keys or one given twice, a scenario
    with one of its two files, a specification that is no text, is empty or holds control characters.
    """
    if not path.is_dir() and path.name not in FILES:
        raise mistake(path, 1, f"is neither {' nor '.join(FILES)}", "give one of them or SpecBench's data folder")
    places = [path, *sorted(path.iterdir())] if path.is_dir() else [path.parent]
    folders = [folder for folder in places if any((folder / name).exists() for name in FILES)]
    if not folders:
        raise mistake(path, 1, "no specifications.json here or one folder below", "give SpecBench's data folder")
    ids = {folder: re.sub(r"[^\w-]+", "-", folder.resolve().name.lower()) for folder in folders}
    for folder in folders:
        if twin := next((each for each in folders if each != folder and ids[each] == ids[folder]), None):
            what = f"is the category {ids[folder]!r}, as {str(twin)!r} is"
            raise mistake(folder, 1, what, "rename one of the two folders")
    letters = prefixes(ids.values(), size=3)
    categories, remarks, found = [], [], 0
    for folder in folders:
        category, size = _category(folder, ids[folder], letters[ids[folder]], style)
        categories.append(category)
        found += size
        if (folder / "prompts.json").exists():
            remarks.append(f"{folder / 'prompts.json'}: prompts are no part of a policy; not imported")
    clauses = sum(len(category.clauses) for category in categories)
    policy = Policy("SpecBench", "imported", "", GUIDELINES, tuple(sorted(categories, key=lambda each: each.file)))
    counts = Count("scenarios", len(folders), len(categories)), Count("specifications", found, clauses)
    given = f"{style} is the style of all {clauses} clauses (--style): SpecBench has none"
    return Imported(policy, counts, (given, WRITTEN, *remarks))


def _category(folder: Path, id: str, letters: str, style: Style) -> tuple[Category, int]:
    raw, scenario = _object(folder / "scenario.json", SCENARIO)
    name, description = (_line(folder / "scenario.json", raw, key, scenario[key]) for key in SCENARIO)
    file = folder / "specifications.json"
    raw, lists = _object(file, tuple(LISTS))
    clauses: list[Clause] = []
    for key, kind in LISTS.items():
        if not isinstance(lists[key], list):
            raise mistake(file, _place(raw, json.dumps(key)), f"{key} is no list", "write a list of texts")
        if len(lists[key]) > 999:
            what = f"{key} holds {len(lists[key])} texts, and a clause's number has three digits"
            raise mistake(file, _place(raw, json.dumps(key)), what, "divide the scenario in two")
        for number, text in enumerate(lists[key], start=1):
            title = _line(file, raw, f"{key}[{number}]", text)
            clauses.append(Clause(f"{letters}{kind}{number}", title, style, category=id))
    if not clauses:
        raise mistake(file, 1, "has no specification", "write one, or move the scenario's folder away")
    return Category(id, name, description, "", tuple(clauses)), sum(len(lists[key]) for key in LISTS)


def _object(file: Path, keys: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if (key := repeated(name for name, _ in pairs)) is not None:
            raise mistake(file, _place(raw, json.dumps(key)), f"key {clip(key)} is given twice", "keep one of the two")
        return dict(pairs)

    def number(digits: str) -> int:
        if len(digits) > DIGITS:
            raise mistake(file, _place(raw, digits), f"holds a number of {len(digits)} digits", "write a text")
        return int(digits)

    no_pipe(file)
    try:
        raw = file.read_bytes().removeprefix(BOM_UTF8).decode("utf-8")
        value = json.loads(raw, object_pairs_hook=distinct, parse_int=number)
    except FileNotFoundError:
        raise mistake(file, 1, "no such file", "add it, or move the scenario's folder away") from None
    except OSError as error:
        raise mistake(file, 1, f"cannot be read ({error.strerror})", "give SpecBench's data folder") from None
    except UnicodeDecodeError as error:
        raise mistake(file, 1 + error.object.count(b"\n", 0, error.start), "is not UTF-8", "save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise mistake(file, error.lineno, f"is no JSON ({error.msg})", "is the file whole?") from None
    except RecursionError:
        raise mistake(file, 1, "is no JSON (nested too deeply)", "give SpecBench's own file") from None
    if not isinstance(value, dict):
        raise mistake(file, 1, "is no JSON object", f"write an object with {' and '.join(keys)}")
    for key in value:
        if key not in keys:
            raise mistake(file, _place(raw, json.dumps(key)), f"unknown key {clip(key)}", nearest(key, keys))
    for key in keys:
        if key not in value:
            raise mistake(file, 1, f"no {key!r}", "add it")
    return raw, value


def _line(file: Path, raw: str, where: str, text: Any) -> str:
    """A text on one line: runs of white space become one space."""
    line = " ".join(text.split()) if isinstance(text, str) else ""
    at = _place(raw, json.dumps(text, ensure_ascii=False), json.dumps(text))
    if not line:
        raise mistake(file, at, f"{where} is {clip(str(text))}, which is no text", "write one sentence")
    if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in line):
        raise mistake(file, at, f"{where} holds a control character or half a surrogate pair", "delete it")
    return line


def _place(raw: str, *forms: str) -> int:
    """The line where a value stands in the file, 1 if it is written in yet another form."""
    return next((1 + raw.count("\n", 0, raw.find(form)) for form in forms if form in raw), 1)
