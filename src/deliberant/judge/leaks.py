"""References to a policy that will not be there.

Once the spec view is stripped from the prompt (paper, section 2.3.3), reasoning that speaks of "the policy above"
points at nothing, and an answer that does so tells the user about a document they never sent.
"""

import re

from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError


class Leaks:
    """The patterns of `leaks.txt`: one case-insensitive regular expression per line, `#` opens a comment line."""

    def __init__(self, templates: Templates) -> None:
        """Raises UserError naming the line of a pattern that does not compile."""
        self.patterns: list[re.Pattern[str]] = []
        for number, line in enumerate(templates.text("leaks.txt", {}).splitlines(), start=1):
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            try:
                self.patterns.append(re.compile(pattern, re.IGNORECASE))
            except re.error as error:
                raise UserError(f"leaks.txt:{number}: not a regular expression ({error}); fix or remove it") from None

    def find(self, *texts: str) -> str | None:
        """The first passage that leaks, as written, or None."""
        for pattern in self.patterns:
            for text in texts:
                if match := pattern.search(text):
                    return match.group()
        return None
