"""The labels of single-file policies, such as VIOLATES (1) and SAFE (0): what a section's title says of its rules."""

import re

from deliberant.prompts.types import Style

WORDS = (
    r"(?:(?P<no>NON|NOT(?: AN?)?|NO|DO(?:ES)?(?: NOT|N['\u2019]T))\W?)?"
    r"(?:(?P<bad>VIOLAT(?:ES?|IONS?|ING|IVE)|DISALLOWED|PROHIBITED|FORBIDDEN|UNSAFE)|(?P<care>SAFE WITH CARE)|"
    r"SAFE|ALLOWED|PERMITTED)(?![^\W_])"
)
"""NON-VIOLATING, Does not violate, NOT ALLOWED: a pattern for any case."""
LABEL = re.compile(
    rf"(?i)[\W\d_]*{WORDS}(?: (?:THE )?(?:CONTENT|REQUESTS?|USES?|BEHAVIOU?RS?|MATERIAL|CASES|RULES|POLICY))?"
    r"(?:\W*[(\[].*[)\]])?[\W\d_]*(?:(?::|\s[-\u2013\u2014])\s.*)?"
)
LIKE = re.compile(rf"(?i)(?!EXAMPLES?\b).*(?<![^\W_]){WORDS}")


def label_style(title: str) -> Style | None:
    """The style of the rules below a title, None where it is no label: `Safe harbour` merely begins like one."""
    found = LABEL.fullmatch(title)
    if not found:
        return None
    if found["care"]:
        return "safe_complete"
    return "comply" if bool(found["no"]) == bool(found["bad"]) else "refuse"


def like_label(title: str) -> bool:
    """Whether a title holds a label's words, so that a list below it may be one of rules."""
    return LIKE.match(title) is not None
