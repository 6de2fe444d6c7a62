"""What the shipped default policy promises to the teams that start from it."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

import deliberant.policy
from deliberant.policy import Category, Policy, find_citations, load_policy
from deliberant.prompts.types import STYLES

FOLDER = Path(deliberant.policy.__file__).parent / "default"
PREFIXES = {
    "advice": "AD",
    "agentic": "AG",
    "cyber": "CY",
    "erotic": "ER",
    "extremism": "EX",
    "fraud": "FR",
    "harassment": "HH",
    "illicit": "IB",
    "privacy": "PR",
    "self-harm": "SH",
    "violence": "VI",
}
VAGUE = re.compile(
    r"\b(generally|usually|typically|often|sometimes|normally|mostly|as appropriate|as needed|see above|see below|etc|"
    r"and so on|(when|where|if) possible)\b",
    re.IGNORECASE,
)
NO_CLAUSE = ("under no clause", "under the category of the harm")
"""How an exclusion says that no one clause covers what it excludes."""

each_category = pytest.mark.parametrize("id", PREFIXES)


def tokens(text: str) -> float:
    """About as many as common tokenizers make of English prose."""
    return len(text.split()) * 1.35


def plain(example: str) -> str:
    return " ".join(re.findall(r"\w+", example.lower()))


def texts() -> dict[str, str]:
    """Every file, on one line each: a vague phrase may be wrapped."""
    return {str(file.relative_to(FOLDER)): " ".join(file.read_text().split()) for file in FOLDER.rglob("*.md")}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(FOLDER)


def in_full(category: Category) -> str:
    """Definitions and clauses, without summary and compressed text."""
    parts = [category.definitions]
    for clause in category.clauses:
        parts += [f"{clause.title} [{clause.id}] {clause.style}", clause.text, *clause.examples, *clause.exclusions]
    return "\n".join(parts)


def test_it_has_the_promised_categories_and_rules(policy: Policy) -> None:
    assert policy.name == "default"
    assert {category.id for category in policy.categories} == set(PREFIXES)
    assert policy.intro
    headings = re.findall(r"^## (.+)$", policy.rules, re.MULTILINE)
    assert {"Precedence", "Intent", "Transformation exception", "Encoded and wrapped requests"} <= set(headings)
    assert {"Quoted and retrieved text", "Conversations", "Citing"} <= set(headings)


@each_category
def test_category_has_every_section(policy: Policy, id: str) -> None:
    category = policy.category(id)
    assert category.summary and category.compressed and category.definitions
    assert 6 <= len(category.clauses) <= 15
    assert {clause.style for clause in category.clauses} == set(STYLES)


@each_category
def test_sizes(policy: Policy, id: str) -> None:
    category = policy.category(id)
    assert tokens(category.summary) <= 120
    assert 300 <= tokens(category.compressed) <= 600
    assert tokens(in_full(category)) >= 1500


@each_category
def test_clauses_have_text_examples_and_exclusions(policy: Policy, id: str) -> None:
    for clause in policy.category(id).clauses:
        assert re.fullmatch(rf"{PREFIXES[id]}\d+", clause.id)
        assert clause.text, clause.id
        assert 2 <= len(clause.examples) <= 5, clause.id
        assert 1 <= len(clause.exclusions) <= 4, clause.id


@each_category
def test_exclusions_name_the_clause_that_covers_them(policy: Policy, id: str) -> None:
    for clause in policy.category(id).clauses:
        for exclusion in clause.exclusions:
            assert find_citations(exclusion) or any(phrase in exclusion for phrase in NO_CLAUSE), (clause.id, exclusion)
            assert clause.id not in find_citations(exclusion), (clause.id, exclusion)


@each_category
def test_compressed_text_lists_every_clause_with_its_style(policy: Policy, id: str) -> None:
    category = policy.category(id)
    listed = re.findall(r"^- \[([A-Z]+\d+)\] (\w+): ", category.compressed, re.MULTILINE)
    assert listed == [(clause.id, clause.style) for clause in category.clauses]


@each_category
def test_safe_completion_has_its_own_guideline(policy: Policy, id: str) -> None:
    assert ("safe_complete", id) in {(guideline.style, guideline.category) for guideline in policy.styles}


def test_every_cited_clause_exists(policy: Policy) -> None:
    known = {clause.id for category in policy.categories for clause in category.clauses}
    for name, text in texts().items():
        assert set(find_citations(text)) <= known, name


def test_no_vague_words() -> None:
    for name, text in texts().items():
        assert not VAGUE.search(text), (name, VAGUE.findall(text))


def test_no_example_stands_under_two_clauses(policy: Policy) -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for category in policy.categories:
        for clause in category.clauses:
            for example in clause.examples:
                places[plain(example)].append(clause.id)
    assert {example: ids for example, ids in places.items() if len(ids) > 1} == {}


def test_prose_is_wrapped() -> None:
    for file in FOLDER.rglob("*.md"):
        assert all(len(line) <= 120 for line in file.read_text().split("\n")), file.name
