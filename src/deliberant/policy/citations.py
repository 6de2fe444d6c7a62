"""Which clauses a text cites.

The paper asks for citations by section and reads them back with a model (4.2); coded ids can be read exactly.
"""

import re

from deliberant.policy.types import CLAUSE_ID

CITATION = re.compile(rf"\[({CLAUSE_ID})\]")


def cited(text: str) -> list[str]:
    """Clause ids in square brackets in order of appearance, repeats included, whether or not such a clause exists."""
    return CITATION.findall(text)
