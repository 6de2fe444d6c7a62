"""What a model is shown of a policy: spec(category) of the paper's 2.2, and the summaries alone (its 4.1, "base+spec").

The paper composes summaries of all categories, style guidelines and one category in full. The order is fixed here so
that requests about different categories share the longest possible prefix, which samplers cache. Rules that hold across
categories stand in every view: they decide what a category's clauses leave open.
"""

from collections.abc import Callable, Sequence

from deliberant.policy.markdown import join_lines
from deliberant.policy.types import Category, Guideline, Policy, clause_heading, clause_parts
from deliberant.util.errors import UserError


def summary_view(policy: Policy) -> str:
    """All summaries, the cross-cutting rules if any, and all style guidelines; no trailing newline.

    Summaries and guidelines are one line each, rules stand as they are written.
    """
    summaries = [f"- {category.id}: {join_lines(category.summary)}" for category in policy.categories]
    rules = ["# rules", policy.rules] if policy.rules else []
    return "\n".join(["# summaries", *summaries, *rules, "# styles", *map(_style_line, policy.styles)])


def spec_view(policy: Policy, categories: Sequence[str], compressed: bool = False) -> str:
    """`summary_view`, then the named categories in full, in the order named (a repeated name counts once).

    `compressed` shows their compressed text instead. Raises UserError for a category the policy lacks, or one without
    compressed text.
    """
    block = _in_short if compressed else show_category
    return "\n".join([summary_view(policy), *(block(policy.category(id)) for id in dict.fromkeys(categories))])


def traces(policy: Policy) -> list[str]:
    """Texts that only the policy contains: each category's spec view, and each clause's heading line."""
    views = [spec_view(policy, [category.id]) for category in policy.categories]
    return views + [clause_heading(clause) for clause in policy.clauses.values()]


def measure(view: str, count: Callable[[str], int], budget: int | None) -> int:
    """Tokens in `view` by a tokenizer's own `count`. A view is never cut: UserError when it is over `budget` tokens."""
    tokens = count(view)
    if budget is not None and tokens > budget:
        over = f"{tokens} tokens, {tokens - budget} over the budget of {budget}"
        raise UserError(f"the spec view is {over}; views are never cut: shorten the policy or raise the budget")
    return tokens


def show_category(category: Category) -> str:
    lines = [f"# {category.id}"]
    if category.definitions:
        lines.append(category.definitions)
    for clause in category.clauses:
        lines += [clause_heading(clause), *clause_parts(clause)]
    return "\n".join(lines)


def _in_short(category: Category) -> str:
    if not category.compressed:
        raise UserError(
            f"category {category.id!r} has no compressed text; add a section `## Compressed` to its file, "
            f"{category.file}, or ask for the view in full"
        )
    return f"# {category.id}\n{category.compressed}"


def _style_line(guideline: Guideline) -> str:
    topic = f" ({guideline.category})" if guideline.category else ""
    return f"- {guideline.style}{topic}: {join_lines(guideline.text)}"
