"""Reviewed labels as hints on prompts: what people say the ideal response style and clause are, with their source.

    deliberant prompts hints PROMPTS --from RUN --to FILE

A reviewer's word on a prompt is the clause that applies by their labels of its samples, and its style: the clause they
named, or the only one that an accepted sample cites. The judge is shown both, as what "another AI" determined (2.3.2);
`source` says whose word it was, `confidence` which share of the prompt's reviewers say that style: of all who labelled
one of its samples, since one who rejects and names no clause may well mean another style. Reviewers of one style may
see it in several clauses; then the hint names none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from deliberant.policy import Clause
from deliberant.prompts import Hint, Prompt
from deliberant.review.labels import Label
from deliberant.review.people import infer_clause, select_counting
from deliberant.review.samples import Samples

SOURCE = "review:"
Words = dict[str, dict[str, set[Clause]]]
"""Prompt -> reviewer -> the clauses that apply, by that reviewer's labels."""


@dataclass
class Account:
    """What became of each prompt, filled as prompts go by.

    `with_clause`: of the hinted ones, those whose hint names a clause. `conflicting`: too few of its reviewers say one
    style; `silent`: labelled, and no label tells a style; `undecided`: whoever tells one tells two.
    """

    prompts: int = 0
    hinted: int = 0
    with_clause: int = 0
    conflicting: int = 0
    undecided: int = 0
    silent: int = 0
    other_text: int = 0
    stale: int = 0
    styles: Counter[str] = field(default_factory=Counter)


def with_hints(
    prompts: Iterable[Prompt], samples: Samples, labels: Sequence[Label], account: Account, least: float = 1.0
) -> Iterator[Prompt]:
    """The prompts, in order, those that people have labelled with their hint, in place of an earlier review's.

    A style enters where at least the share `least` of the prompt's reviewers, and more than half of them, say it;
    others are conflicts, counted and left without. Prompts whose text is not the one that was read are counted and
    left as they are.
    """
    counted, account.stale = select_counting(samples, labels)
    entries = [samples.by_id[name] for name, _ in counted]
    read = samples.prompts(entries)
    words: Words = defaultdict(lambda: defaultdict(set))
    for (name, reviewer), label in counted.items():
        entry = samples.by_id[name]
        clause = infer_clause(label, entry.row["cited"], samples.policy)
        words[entry.prompt_id][reviewer] |= {samples.policy.clauses[clause]} if clause else set()
    for prompt in prompts:
        account.prompts += 1
        if prompt.id not in words:
            yield prompt
        elif prompt.messages != read[prompt.id].messages:
            account.other_text += 1
            yield prompt
        else:
            yield _hinted(prompt, words[prompt.id], account, least)


def _hinted(prompt: Prompt, words: dict[str, set[Clause]], account: Account, least: float) -> Prompt:
    said = {reviewer: clauses for reviewer, clauses in words.items() if clauses}
    styles = {reviewer: {clause.style for clause in clauses} for reviewer, clauses in said.items()}
    clear = {reviewer: style for reviewer, several in styles.items() if len(several) == 1 for style in several}
    if not said:
        account.silent += 1
        return prompt
    if not clear:
        account.undecided += 1
        return prompt
    style, n = Counter(clear.values()).most_common(1)[0]
    if n / len(words) < least or 2 * n <= len(words):
        account.conflicting += 1
        return prompt
    account.hinted += 1
    account.styles[style] += 1
    whose = sorted(reviewer for reviewer, word in clear.items() if word == style)
    clauses = {clause.id for reviewer in whose for clause in said[reviewer]}
    clause = clauses.pop() if len(clauses) == 1 else None
    account.with_clause += clause is not None
    kept = tuple(hint for hint in prompt.hints if not hint.source.startswith(SOURCE))
    return replace(prompt, hints=(*kept, Hint(SOURCE + "+".join(whose), style, round(n / len(words), 3), clause)))
