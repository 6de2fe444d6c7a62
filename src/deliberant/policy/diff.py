"""What changed between two versions of a policy, and which categories' spec views it reaches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deliberant.policy.types import Category, Clause, Policy
from deliberant.policy.views import show_category, summary_view
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

WORDS = {"style": "restyled", "category": "moved"}
"""What a change of these parts of a clause is called; other parts are called by their names."""
PARTS = ("style", "category", "title", "text", "why", "examples", "exclusions", "source")


@dataclass(frozen=True)
class Diff:
    """Everything that differs, in the order of the new version (removed: of the old).

    Clauses are matched by id: one that got a new id counts as removed and added. `changed` has what changed in each
    clause that both versions have (`PARTS`, "reordered"), `categories_changed` likewise in each category. `policy`
    names what of `name`, `version` and `intro` changed; no view holds them. `styles` names guidelines that were added,
    removed or reworded. `everywhere`: what stands in every view changed. `reached`: categories of either version whose
    spec view changed, sorted.
    """

    old: Policy
    new: Policy
    added: tuple[Clause, ...]
    removed: tuple[Clause, ...]
    changed: dict[str, list[str]]
    categories_added: tuple[str, ...]
    categories_removed: tuple[str, ...]
    categories_changed: dict[str, list[str]]
    styles: tuple[str, ...]
    rules: bool
    policy: list[str]
    everywhere: bool
    reached: tuple[str, ...]

    def touches(self, category: str) -> bool:
        """Whether the spec view of that category's prompts changed, so that samples drawn under the old one are stale.

        Its clauses, definitions or compressed text changed, or it was removed; or a summary, a guideline or the rules
        changed anywhere, since every spec view holds all of them.
        UserError for a category that neither version has.
        """
        known = [each.id for policy in (self.old, self.new) for each in policy.categories]
        if category not in known:
            raise UserError(f"neither policy has a category {category!r}; {suggest_name(category, known)}")
        return category in self.reached

    @property
    def empty(self) -> bool:
        """Whether the two are equal."""
        return not any(self.lines())

    def row(self) -> dict[str, Any]:
        """The whole as JSON; clauses by id, category, title and style, what is `reached` as `touched`."""
        brief = {
            name: [{key: getattr(clause, key) for key in ("id", "category", "title", "style")} for clause in clauses]
            for name, clauses in (("added", self.added), ("removed", self.removed))
        }
        changed = [
            {"id": id, "category": new.category, "what": what, "style": [old.style, new.style]}
            for id, what in self.changed.items()
            for old, new in [(self.old.clauses[id], self.new.clauses[id])]
        ]
        return {
            **brief,
            "changed": changed,
            "categories_added": self.categories_added,
            "categories_removed": self.categories_removed,
            "categories_changed": [{"id": id, "what": what} for id, what in self.categories_changed.items()],
            **{name: getattr(self, name) for name in ("styles", "rules", "policy", "everywhere")},
            "touched": self.reached,
        }

    def lines(self) -> Iterator[str]:
        """Each change in a line that begins with `+`, `-` or `~`; none where the two are equal."""
        yield from (f"+ category {id}" for id in self.categories_added)
        yield from (f"- category {id}" for id in self.categories_removed)
        yield from (f"~ category {id}: {', '.join(what)}" for id, what in self.categories_changed.items())
        yield from (f"+ {clause.id} {clause.title} ({clause.category}, {clause.style})" for clause in self.added)
        yield from (f"- {clause.id} {clause.title} ({clause.category}, {clause.style})" for clause in self.removed)
        for id, what in self.changed.items():
            old, new = self.old.clauses[id], self.new.clauses[id]
            notes = {"restyled": f" {old.style} -> {new.style}", "moved": f" {old.category} -> {new.category}"}
            yield f"~ {id} {new.title} ({new.category}): {', '.join(name + notes.get(name, '') for name in what)}"
        yield from (f"~ style {name}" for name in self.styles)
        yield from ["~ rules"] * self.rules
        yield from (f"~ policy {name} (in no view)" for name in self.policy)


def diff(old: Policy, new: Policy) -> Diff:
    """What it takes to get from `old` to `new`."""
    before, after = ({each.id: each for each in policy.categories} for policy in (old, new))
    everywhere = summary_view(old) != summary_view(new)
    return Diff(
        old,
        new,
        added=tuple(clause for id, clause in new.clauses.items() if id not in old.clauses),
        removed=tuple(clause for id, clause in old.clauses.items() if id not in new.clauses),
        changed={id: what for category in new.categories for id, what in _clause_changes(old, category) if what},
        categories_added=tuple(id for id in after if id not in before),
        categories_removed=tuple(id for id in before if id not in after),
        categories_changed={id: what for id, what in _category_changes(before, after) if what},
        styles=tuple(_style_changes(old, new)),
        rules=old.rules != new.rules,
        policy=_differing(old, new, ("name", "version", "intro")),
        everywhere=everywhere,
        reached=tuple(
            id for id in sorted(before | after) if everywhere or _shown(before.get(id)) != _shown(after.get(id))
        ),
    )


def _shown(category: Category | None) -> tuple[str, str] | None:
    """All that spec views show of a category, in full or compressed."""
    return None if category is None else (show_category(category), category.compressed)


def _clause_changes(old: Policy, category: Category) -> Iterator[tuple[str, list[str]]]:
    both = [(old.clauses[clause.id], clause) for clause in category.clauses if clause.id in old.clauses]
    stayed = [clause.id for was, clause in both if was.category == category.id]
    moved = _moved([id for id in old.clauses if id in stayed], stayed)
    for was, clause in both:
        what = [WORDS.get(part, part) for part in _differing(was, clause, PARTS)]
        yield clause.id, what + ["reordered"] * (clause.id in moved)


def _category_changes(before: dict[str, Category], after: dict[str, Category]) -> Iterator[tuple[str, list[str]]]:
    both = [id for id in after if id in before]
    moved = _moved([id for id in before if id in after], both)
    for id in both:
        what = _differing(before[id], after[id], ("title", "summary", "definitions", "compressed"))
        yield id, what + ["reordered"] * (id in moved)


def _differing(old: object, new: object, names: Sequence[str]) -> list[str]:
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """Of the same ids in two orders, those that stand in another place."""
    return {now for was, now in zip(before, after, strict=True) if now != was}


def _style_changes(old: Policy, new: Policy) -> Iterator[str]:
    before, after = ({(each.style, each.category): each.text for each in policy.styles} for policy in (old, new))
    for style, category in {**after, **before}:
        if before.get((style, category)) != after.get((style, category)):
            yield f"{style} ({category})" if category else style
    if before == after and list(before) != list(after):
        yield "order"
