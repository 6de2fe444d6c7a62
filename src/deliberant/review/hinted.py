"""What a hint does to the judge: it reads labelled samples again with right ones, with wrong ones, and with none.

The paper tells the judge what another AI determined, and that it may be wrong (2.3.2); a judge that follows a wrong
hint would turn other people's labelling errors into rewards. The right clause is the one that people say applies, the
right style its own. A wrong style is one of the other two, by chance. A wrong clause is another one that the judge has
in view, of the right style where there is one, so that the clause alone is wrong; it comes with its own style, as
clauses do. Reading without a hint a second time, with another seed, shows how many verdicts change by themselves. All
readings have other seeds than the filter's: samples were kept, rejected and drawn by those, and a rare low score does
not come twice.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from deliberant.evals import Estimate, Tally, difference
from deliberant.judge import CLAUSE_HINT, Verdict, shows_clauses
from deliberant.policy import Clause, Policy
from deliberant.prompts import STYLES, Hint
from deliberant.review.agreement import NO_TRIAL, Figure, figure
from deliberant.review.calibrate import decide, pair
from deliberant.review.people import Labelled, People
from deliberant.review.readings import read_again
from deliberant.review.samples import Samples
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint

if TYPE_CHECKING:
    from deliberant.run.run import Run

SOURCE = "calibration"
Readings = Sequence[Verdict]


@dataclass(frozen=True)
class Effect:
    """What one kind of hint does, beside reading without one. `more_flips`: than a second reading without one."""

    hint: str
    figures: list[Figure]
    more_flips: Estimate | None


@dataclass(frozen=True)
class Hinted:
    """`n` samples were read `k` times under each condition; of `without_style` people's word tells no right style.

    `restyled`: of the n, those whose wrong clause has a wrong style, too, for want of another one of the right style.
    `no_clauses`: why hints of clauses were not tried, None where they were.
    """

    n: int
    k: int
    without_style: int
    restyled: int
    no_clauses: str | None
    effects: list[Effect]

    def json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "samples": self.n,
            "k": self.k,
            "without_style": self.without_style,
            "wrong_clause_of_wrong_style": self.restyled,
            "no_clause_hints": self.no_clauses,
            "effects": [
                {
                    "hint": each.hint,
                    "figures": [figure.row() for figure in each.figures],
                    "more_flips": each.more_flips and asdict(each.more_flips),
                }
                for each in self.effects
            ],
        }


def measure_hints(run: "Run", samples: Samples, people: People, k: int) -> Hinted:
    """Reads under each condition, resumably. UserError where no judged sample has a clause that people say applies.

    Without a template for hints of clauses, or another clause in the policy, those of styles are tried alone.
    """
    judged = [each for each in people.labelled if each.entry.judged]
    known = [each for each in judged if each.clause is not None]
    if not known:
        raise UserError(
            f"{samples.root}: people name no clause of any judged sample, so no hint is known to be wrong; "
            "accept samples that cite one clause, or choose the clause that applies"
        )
    given: dict[str, dict[str, tuple[Hint, ...]]] = defaultdict(dict)
    restyled, no_clauses = 0, None
    if not shows_clauses(run.templates):
        no_clauses = f"the prompt files '{run.templates.folder.name}' have no {CLAUSE_HINT}"
    elif len(samples.policy.clauses) == 1:
        no_clauses = "the policy has one clause, so none is wrong"
    for each in known:
        name, right = each.entry.id, samples.policy.clauses[each.clause or ""]
        chance = int(fingerprint([name, run.recipe.seed]), 16)
        others = [style for style in STYLES if style != right.style]
        given["right style"][name] = (Hint(SOURCE, right.style),)
        given["wrong style"][name] = (Hint(SOURCE, others[chance % 2]),)
        if no_clauses is None:
            wrong = _wrong_clause(right, each.entry.row["categories"], samples.policy, chance)
            restyled += wrong.style != right.style
            given["right clause"][name] = (Hint(SOURCE, right.style, clause=right.id),)
            given["wrong clause"][name] = (Hint(SOURCE, wrong.style, clause=wrong.id),)
    seed = run.recipe.seed + 1
    none: dict[str, tuple[Hint, ...]] = {each.entry.id: () for each in known}
    plain = read_again(run, "no-hint", known, k, seed, none)
    read = {"none, other seed": read_again(run, "no-hint-again", known, k, seed + 1, none)}
    for kind, hints in given.items():
        read[kind] = read_again(run, kind.replace(" ", "-"), known, k, seed, hints)
    effects: list[Effect] = []
    base: list[Tally] = []
    families = [each.prompt.family for each in known]
    for kind, verdicts in read.items():
        readings = [(each, plain[each.entry.id], verdicts[each.entry.id]) for each in known]
        flips = [_flip(before, after, samples.threshold) for _, before, after in readings]
        more = difference(flips, base, families) if base else None
        effects.append(Effect(kind, _effect(readings, flips, samples.threshold), more))
        base = base or flips
    return Hinted(len(known), k, len(judged) - len(known), restyled, no_clauses, effects)


def _wrong_clause(right: Clause, shown: Sequence[str], policy: Policy, chance: int) -> Clause:
    """Another clause: of the categories that the judge is shown in full if there is one, of the same style likewise."""
    others = [clause for clause in policy.clauses.values() if clause.id != right.id]
    in_view = [clause for clause in others if clause.category in shown] or others
    alike = [clause for clause in in_view if clause.style == right.style] or in_view
    return alike[chance % len(alike)]


def _flip(before: Readings, after: Readings, threshold: int, was: bool | None = None) -> Tally:
    """Whether the decision changes; no trial where either has no score, or the first was not `was`."""
    first, second = decide(before, threshold), decide(after, threshold)
    if first is None or second is None or (was is not None and first is not was):
        return NO_TRIAL
    return Tally(first is not second, 1)


def _effect(
    readings: Sequence[tuple[Labelled, Readings, Readings]], flips: Sequence[Tally], threshold: int
) -> list[Figure]:
    """Of samples with what the judge said of them without a hint, and with one."""
    pairs = [pair(each) for each, _, _ in readings]
    figures = [figure("verdict flips", flips, pairs, sum(not flip.trials for flip in flips))]
    decided = [(decide(before, threshold), decide(after, threshold)) for _, before, after in readings]
    for name, was in (("accept turns to reject", True), ("reject turns to accept", False)):
        turned = [_flip(before, after, threshold, was) for _, before, after in readings]
        figures.append(figure(name, turned, pairs, decided.count((was, None))))
    right = [
        NO_TRIAL if after is None else Tally(after is each.people, 1)
        for (each, _, _), (_, after) in zip(readings, decided, strict=True)
    ]
    figures.append(figure("agrees with people", right, pairs, sum(after is None for _, after in decided)))
    scored = [(each, [one for one in after if one.score is not None]) for each, _, after in readings]
    theirs = [Tally(sum(one.clause == each.clause for one in ones), len(ones)) for each, ones in scored]
    unscored = sum(one.score is None for _, _, after in readings for one in after)
    figures.append(figure("readings that name people's clause", theirs, pairs, unscored))
    words = [[one.agrees for one in after] for _, _, after in readings]
    if any(word is not None for said in words for word in said):
        against = [Tally(said.count(False), len(said) - said.count(None)) for said in words]
        silent = sum(said.count(None) for said in words)
        figures.append(figure("readings that disagree with the hint", against, pairs, silent))
    return figures
