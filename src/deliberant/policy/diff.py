"""What changed between two versions of a policy, and which categories' spec views it reaches."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from deliberant.policy.types import Category, Clause, Policy
from deliberant.policy.views import in_full, summary_view
from deliberant.util.errors import UserError
from deliberant.util.names import nearest


@dataclass(frozen=True)
class Change:
    """A clause of both versions. `what`: restyled, moved, title, text, why, examples, exclusions, source, reordered."""

    old: Clause
    new: Clause
    what: tuple[str, ...]


@dataclass(frozen=True)
class CategoryChange:
    """A category that both versions have. `what`: title, summary, definitions, compressed, reordered."""

    id: str
    what: tuple[str, ...]


@dataclass(frozen=True)
class Diff:
    """Everything that differs, in the order of the new version (removed: of the old).

    Clauses are matched by id: one that got a new id counts as removed and added. `policy` names what of `name`,
    `version` and `intro` changed; no view holds them. `styles` names guidelines that were added, removed or reworded.
    `everywhere`: what stands in every view changed. `reached`: the `known` categories whose spec view did, sorted.
    """

    added: tuple[Clause, ...]
    removed: tuple[Clause, ...]
    changed: tuple[Change, ...]
    categories_added: tuple[str, ...]
    categories_removed: tuple[str, ...]
    categories_changed: tuple[CategoryChange, ...]
    styles: tuple[str, ...]
    rules: bool
    policy: tuple[str, ...]
    everywhere: bool
    reached: tuple[str, ...]
    known: tuple[str, ...]

    def touches(self, category: str) -> bool:
        """Whether the spec view of that category's prompts changed, so that samples drawn under the old one are stale.

        Its clauses, definitions or compressed text changed, or it was removed; or a summary, a guideline or the rules
        changed anywhere, since every spec view holds all of them.
        UserError for a category that neither version has.
        """
        if category not in self.known:
            raise UserError(f"neither policy has a category {category!r}; {nearest(category, self.known)}")
        return category in self.reached

    @property
    def empty(self) -> bool:
        """Whether the two are equal."""
        return not any(self.lines())

    def row(self) -> dict[str, Any]:
        """The whole as JSON; clauses by id, category, title and style, what is `reached` as `touched`."""
        row = asdict(self)
        for name in ("added", "removed"):
            row[name] = [{key: clause[key] for key in ("id", "category", "title", "style")} for clause in row[name]]
        row["changed"] = [
            {"id": new.id, "category": new.category, "what": each.what, "style": [old.style, new.style]}
            for each in self.changed
            for old, new in [(each.old, each.new)]
        ]
        row["touched"] = row.pop("reached")
        del row["known"]
        return row

    def lines(self) -> Iterator[str]:
        """Each change in a line that begins with `+`, `-` or `~`; none where the two are equal."""
        yield from (f"+ category {id}" for id in self.categories_added)
        yield from (f"- category {id}" for id in self.categories_removed)
        yield from (f"~ category {each.id}: {', '.join(each.what)}" for each in self.categories_changed)
        yield from (f"+ {clause.id} {clause.title} ({clause.category}, {clause.style})" for clause in self.added)
        yield from (f"- {clause.id} {clause.title} ({clause.category}, {clause.style})" for clause in self.removed)
        for each in self.changed:
            old, new = each.old, each.new
            notes = {"restyled": f" {old.style} -> {new.style}", "moved": f" {old.category} -> {new.category}"}
            what = ", ".join(name + notes.get(name, "") for name in each.what)
            yield f"~ {new.id} {new.title} ({new.category}): {what}"
        yield from (f"~ style {name}" for name in self.styles)
        yield from ["~ rules"] * self.rules
        yield from (f"~ policy {name} (in no view)" for name in self.policy)


def diff(old: Policy, new: Policy) -> Diff:
    """What it takes to get from `old` to `new`."""
    before, after = ({each.id: each for each in policy.categories} for policy in (old, new))
    known, everywhere = sorted(before | after), summary_view(old) != summary_view(new)
    return Diff(
        added=tuple(clause for id, clause in new.clauses.items() if id not in old.clauses),
        removed=tuple(clause for id, clause in old.clauses.items() if id not in new.clauses),
        changed=tuple(_changes(old, new)),
        categories_added=tuple(id for id in after if id not in before),
        categories_removed=tuple(id for id in before if id not in after),
        categories_changed=tuple(_category_changes(before, after)),
        styles=tuple(_style_changes(old, new)),
        rules=old.rules != new.rules,
        policy=tuple(_differ(old, new, "name", "version", "intro")),
        everywhere=everywhere,
        reached=tuple(id for id in known if everywhere or _view(before.get(id)) != _view(after.get(id))),
        known=tuple(known),
    )


def _view(category: Category | None) -> tuple[str, str] | None:
    """All that spec views show of a category, in full or compressed."""
    return None if category is None else (in_full(category), category.compressed)


def _changes(old: Policy, new: Policy) -> Iterator[Change]:
    homes = {id: clause.category for id, clause in old.clauses.items()}
    for category in new.categories:
        stayed = {each.id: each for each in category.clauses if homes.get(each.id) == category.id}
        moved = _moved((id for id in homes if id in stayed), stayed)
        for clause in category.clauses:
            if was := old.clauses.get(clause.id):
                what = ["restyled"] * (was.style != clause.style) + ["moved"] * (was.category != clause.category)
                what += _differ(was, clause, "title", "text", "why", "examples", "exclusions", "source")
                what += ["reordered"] * (clause.id in moved)
                if what:
                    yield Change(was, clause, tuple(what))


def _differ(old: object, new: object, *names: str) -> list[str]:
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _moved(before: Iterable[str], after: Iterable[str]) -> set[str]:
    """Of the same ids in two orders, those that stand in another place."""
    return {now for was, now in zip(before, after, strict=True) if now != was}


def _category_changes(before: dict[str, Category], after: dict[str, Category]) -> Iterator[CategoryChange]:
    both = [id for id in after if id in before]
    moved = _moved((id for id in before if id in after), both)
    for id in both:
        what = _differ(before[id], after[id], "title", "summary", "definitions", "compressed")
        if what := what + ["reordered"] * (id in moved):
            yield CategoryChange(id, tuple(what))


def _style_changes(old: Policy, new: Policy) -> Iterator[str]:
    before, after = ({(each.style, each.category): each.text for each in policy.styles} for policy in (old, new))
    for style, category in {**after, **before}:
        if before.get((style, category)) != after.get((style, category)):
            yield f"{style} ({category})" if category else style
    if before == after and list(before) != list(after):
        yield "order"
