"""What a model is shown of a policy: spec(category) of the paper's 2.2, and the summaries alone (its 4.1, "base+spec").

The paper composes summaries of all categories, style guidelines and one category in full. The order is fixed here so
that requests about different categories share the longest possible prefix, which samplers cache.
"""

from collections.abc import Callable, Sequence

from deliberant.errors import UserError
from deliberant.policy.printer import clause_heading, clause_parts
from deliberant.policy.types import Category, Guideline, Policy


def summary_view(policy: Policy) -> str:
    """All summaries and style guidelines, one line each; no trailing newline."""
    summaries = [f"- {category.id}: {_one_line(category.summary)}" for category in policy.categories]
    return "\n".join(["# summaries", *summaries, "# styles", *map(_style_line, policy.styles)])


def spec_view(policy: Policy, categories: Sequence[str]) -> str:
    """`summary_view`, then the named categories in full, in the order named (a repeated name counts once).

    Raises UserError for a category the policy lacks.
    """
    full = [_in_full(policy.category(id)) for id in dict.fromkeys(categories)]
    return "\n".join([summary_view(policy), *full])


def measure(view: str, count: Callable[[str], int], budget: int | None) -> int:
    """Tokens in `view` by a tokenizer's own `count`. A view is never cut: UserError when it is over `budget` tokens."""
    tokens = count(view)
    if budget is not None and tokens > budget:
        over = f"{tokens} tokens, {tokens - budget} over the budget of {budget}"
        raise UserError(f"the spec view is {over}; views are never cut: shorten the policy or raise the budget")
    return tokens


def _in_full(category: Category) -> str:
    lines = [f"# {category.id}"]
    if category.definitions:
        lines.append(category.definitions)
    for clause in category.clauses:
        lines += [clause_heading(clause), *clause_parts(clause)]
    return "\n".join(lines)


def _style_line(guideline: Guideline) -> str:
    topic = f" ({guideline.category})" if guideline.category else ""
    return f"- {guideline.style}{topic}: {_one_line(guideline.text)}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
