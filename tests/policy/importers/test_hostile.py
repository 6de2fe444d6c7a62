"""Whatever a source says, it is refused with a line, or becomes a policy that loads as it is, with nothing left out."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberant.errors import UserError
from deliberant.policy import print_policy
from deliberant.policy.importers import import_policy
from tests.policy.folders import loaded
from tests.policy.test_printer import UNICODE

SCRAPS = """# A {#a}|## B {#b authority=root}|### C {#c}|## D|#|# # x|**Example**: x|~~~xml|~~~|```|Examples:|- item|
[?](#gone)|[^ab12]|# RULES|# STYLES|## refuse|## VIOLATES (1)|## SAFE|### W1: x|### W2: y [W1] refuse|- SP2.a z|SP0.b|
## SUMMARY|## DEFINITIONS|# CATEGORY a: A|# CATEGORY styles: S|Version: 3|<b>x</b>|\x00\x1b[0m|\f|&#35; x|\\# x|
---|Exclusions:|\ufeff|\u2028# x|# INSTRUCTIONS|## {#x authority=user}|## E {#e authority=user}"""
LINES = st.lists(st.one_of(st.sampled_from(re.split(r"[|\n]", SCRAPS)), UNICODE), max_size=14)


@pytest.mark.parametrize(
    ("format", "head"),
    [("model-spec", ["# A {#a}", "## B {#b authority=root}"]), ("single-file", ["# P", "## VIOLATES", "### Z1: z"])],
)
@settings(max_examples=150, deadline=None)
@given(lines=LINES)
def test_any_text_is_refused_with_a_line_or_kept(
    tmp_path_factory: pytest.TempPathFactory, format: str, head: list[str], lines: list[str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "source.md"
    Path(file).write_bytes("\n".join([*head, *lines]).encode())
    try:
        found = import_policy(file, format, "comply" if format == "model-spec" else None)  # type: ignore[arg-type]
        again = loaded(print_policy(found.policy))
    except UserError as error:
        assert re.match(r"\S+\.md:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
    else:
        assert again == found.policy
        kept = "\n".join(print_policy(again).values())
        for line in lines:
            if words := re.match(r"[a-z ]{4,}$", line):
                assert words[0].strip() in kept
