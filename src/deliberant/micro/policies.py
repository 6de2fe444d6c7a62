"""Random policies: the base model must follow any policy, so pre-training shows it a new one in every row.

Ids, order, wordings, styles and summaries are drawn afresh. One in five clause titles (by a fixed hash) never
appears in pre-training; `random_policy(..., held_out=True)` draws from those, to measure on wordings never seen.
"""

import random
import zlib
from dataclasses import dataclass, replace

from deliberant.micro.tokenizer import CLAUSE_IDS, CLAUSE_LETTERS
from deliberant.micro.world import EVERYDAY, Ask, asks, clause_meaning, covers, kinds, language, topics
from deliberant.policy import Category, Clause, Guideline, Policy, spec_view
from deliberant.prompts.types import STYLES, Style


@dataclass(frozen=True)
class Level:
    """How hard policies are to read: at most so many areas; with synonyms, or worded as the base thinks."""

    areas: int = 99
    synonyms: bool = True


HARDEST = Level()
MIXED_SHARE = 0.7
"""Of the categories, how many call their area by several words: there only the kind tells clauses apart."""


def held_out_title(title: str) -> bool:
    """Whether a clause title is kept away from pre-training."""
    return zlib.crc32(title.encode()) % 5 == 0


def _areas(rng: random.Random, at_most: int) -> list[str]:
    harmful = list(dict.fromkeys(topic.area for topic in topics() if topic.harmful))
    harmless = list(dict.fromkeys(topic.area for topic in topics() if not topic.harmful))
    chosen = rng.sample(harmful, rng.randint(1, len(harmful)))
    chosen += [EVERYDAY] if rng.random() < 0.6 else rng.sample(harmless, rng.randint(0, 3))
    rng.shuffle(chosen)
    return chosen[:at_most]


def _titles(area: str, kind: str, held_out: bool) -> list[str]:
    words = language()
    titles = [f"{a} {k}" for a in words["areas"][area] for k in words["kinds"][kind]["wordings"]]
    return [title for title in titles if held_out_title(title) == held_out] or titles


def _summary(rng: random.Random, clauses: list[Clause]) -> str:
    """E.g. "refuse guides, plans. safe_complete facts."; what is not named is complied with."""
    parts = []
    for style in ("refuse", "safe_complete"):
        named = [clause.title.split()[-1] for clause in clauses if clause.style == style]
        rng.shuffle(named)
        if named:
            parts.append(f"{style} {', '.join(named)}.")
    return " ".join(parts) or "comply."


def random_policy(
    rng: random.Random, held_out: bool = False, honest_summaries: bool | None = None, level: Level = HARDEST
) -> Policy:
    """A policy over at most `level.areas` random areas, each with a random subset of kinds.

    Summaries agree with the clauses when `honest_summaries`; by default they do in half of the policies, so that the
    model learns to trust the clause, which is what an edited policy needs.
    """
    honest = rng.random() < 0.5 if honest_summaries is None else honest_summaries
    chosen_areas = _areas(rng, level.areas)
    tidy_ids = rng.random() < 0.5
    ids = rng.sample(CLAUSE_IDS, len(CLAUSE_IDS))
    letters = rng.sample(CLAUSE_LETTERS, len(chosen_areas))
    weights = [rng.choice([0.3, 1, 1]) for _ in STYLES]
    harmful = {topic.area for topic in topics() if topic.harmful}
    categories = []
    for area, letter in zip(chosen_areas, letters, strict=True):
        possible = kinds(area in harmful)
        chosen = possible if rng.random() < 0.6 else rng.sample(possible, rng.randint(1, len(possible)))
        chosen = rng.sample(chosen, len(chosen)) if rng.random() < 0.6 else chosen
        wordings = language()["areas"][area]
        wording = rng.choice(wordings) if level.synonyms else wordings[0]
        name = area if rng.random() < 0.5 else wording
        mixed_wordings = rng.random() < MIXED_SHARE
        clauses = []
        for number, kind in enumerate(chosen, 1):
            titles = _titles(area, kind, held_out)
            same = [title for title in titles if title.split()[0] == wording]
            title = rng.choice(titles if mixed_wordings or not same else same)
            if not level.synonyms and f"{wording} {kind}" in titles:
                title = f"{wording} {kind}"
            style: Style = rng.choices(STYLES, weights)[0]
            name_id = f"{letter}{number}" if tidy_ids else ids.pop()
            clauses.append(Clause(name_id, title, style, category=name))
        shown = clauses if honest else [replace(clause, style=rng.choice(STYLES)) for clause in clauses]
        categories.append(Category(name, name, _summary(rng, shown), clauses=tuple(clauses)))
    guidelines = [Guideline(style, rng.choice(language()["styles"][style]["guidelines"])) for style in STYLES]
    return Policy("random", "0", "", tuple(guidelines), tuple(categories))


@dataclass(frozen=True)
class Shown:
    """A policy of which some categories are shown in full, and the clauses a request can be looked up in."""

    policy: Policy
    view: str
    clauses: tuple[Clause, ...]

    def draw(self, rng: random.Random, most: int = 1) -> list[tuple[Ask, Clause]]:
        """Up to `most` requests with the clauses that cover them, no clause twice: its text is to be looked up, not
        repeated."""
        drawn = []
        for clause in rng.sample(self.clauses, min(most, len(self.clauses))):
            area, kind = clause_meaning(clause)
            topic = rng.choice([topic for topic in topics() if covers(area, topic)])
            drawn.append((rng.choice(asks(topic, kind)), clause))
        return drawn


def show(rng: random.Random, held_out: bool = False, categories: int | None = None, level: Level = HARDEST) -> Shown:
    policy = random_policy(rng, held_out, level=level)
    wanted = categories or rng.choices([1, 2, 3], [0.65, 0.2, 0.15])[0]
    names = [category.id for category in rng.sample(policy.categories, min(wanted, len(policy.categories)))]
    clauses = tuple(clause for name in names for clause in policy.category(name).clauses)
    return Shown(policy, spec_view(policy, names), clauses)
