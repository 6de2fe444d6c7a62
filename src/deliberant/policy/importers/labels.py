"""The labels of single-file policies, such as VIOLATES (1) and SAFE (0): what a section says of its rules.

Its title does, or a line `Output: INVALID` below a title with a grade, such as `Likely spam (SP2 - medium confidence)`.
"""

import re

from deliberant.policy.types import CLAUSE_ID
from deliberant.prompts.types import Style

WORDS = (
    r"(?:(?P<no>NON|NOT(?: AN?)?|NO|DO(?:ES)?(?: NOT|N['\u2019]T))\W?)?"
    r"(?:(?P<bad>VIOLAT(?:ES?|IONS?|ING|IVE)|DISALLOWED|PROHIBITED|FORBIDDEN|UNSAFE)|(?P<care>SAFE WITH CARE)|"
    r"SAFE|ALLOWED|PERMITTED)(?![^\W_])"
)
"""NON-VIOLATING, Does not violate, NOT ALLOWED: a pattern for any case."""
LABEL = re.compile(
    rf"(?i)[\W\d_]*{WORDS}(?: (?:THE )?(?:CONTENT|REQUESTS?|USES?|BEHAVIOU?RS?|MATERIAL|CASES|RULES|POLICY))?"
    r"(?P<rest>(?:\W*[(\[].*[)\]])?[\W\d_]*(?:(?::|\s[-\u2013\u2014])\s.*)?)"
)
CODE = re.compile(
    r"(?i)[\s()\[\]:.*_=\u2013\u2014-]*(?:(?:label )?[0-9]|refuse|comply|safe_complete)?[\s()\[\]:.*_\u2013\u2014-]*"
)
"""What a classifier answers, such as (1) or (refuse): the rest of a label that says no more."""
GRADED = re.compile(
    rf"(?!{CLAUSE_ID}\b)(?=[^()\n]*?[^\W\d_])[^()\n]*\((?P<code>{CLAUSE_ID})(?:\s*[-\u2013\u2014:][^()\n]*)?\)"
)
"""Words, and in brackets what the codes of the rules below begin with; no such code in front, as a rule has."""
OUTPUT = re.compile(r"^[^\w\n]*output[^\w\n]*:(.*)$", re.MULTILINE | re.IGNORECASE)
VERDICT = re.compile(rf"(?i)(?<![^\W_])(?:(?P<invalid>INVALID)|VALID|{WORDS})(?![^\W_])")
LIKE = re.compile(rf"(?i)(?!EXAMPLES?\b).*(?<![^\W_]){WORDS}")


def label_style(title: str) -> Style | None:
    """The style of the rules below a title, None where it is no label: `Safe harbour` merely begins like one."""
    found = LABEL.fullmatch(title)
    return _style(found) if found else None


def says_more(title: str) -> bool:
    """Whether a label's title holds more than its words and a code: `VIOLATES: only where a minor is involved`."""
    found = LABEL.fullmatch(title)
    return found is not None and CODE.fullmatch(found["rest"]) is None


def section_style(title: str, body: str) -> Style | None:
    """That of the title or, where it has a grade, of the outputs below it; None where these name no style, or two."""
    style = label_style(title)
    if not GRADED.fullmatch(title):
        return style
    styles = {style} - {None}
    for output in OUTPUT.findall(body):
        styles |= {"refuse" if found["invalid"] else _style(found) for found in VERDICT.finditer(output)}
    return styles.pop() if len(styles) == 1 else None


def _style(found: re.Match[str]) -> Style:
    if found["care"]:
        return "safe_complete"
    return "comply" if bool(found["no"]) == bool(found["bad"]) else "refuse"


def like_label(title: str) -> bool:
    """Whether a title holds a label's words, so that a list below it may be one of rules."""
    return LIKE.match(title) is not None
