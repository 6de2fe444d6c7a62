"""Whatever a source says, it is refused with a line, or becomes a policy that loads as it is, with nothing left out."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberant.policy import print_policy
from deliberant.policy.importers import NAMES, Wishes, import_policy
from deliberant.util.errors import UserError
from tests.policy.folders import loaded, write
from tests.policy.test_printer import UNICODE

SCRAPS = """# A {#a}|## B {#b authority=root}|### C {#c}|## D|#|# # x|**Example**: x|~~~xml|~~~|```|Examples:|- item|
[?](#gone)|[^ab12]|# RULES|# STYLES|## refuse|## VIOLATES (1)|## SAFE|### W1: x|### W2: y [W1] refuse|- SP2.a z|SP0.b|
## SUMMARY|## DEFINITIONS|# CATEGORY a: A|# CATEGORY styles: S|Version: 3|<b>x</b>|\x00\x1b[0m|\f|&#35; x|\\# x|
---|Exclusions:|\ufeff|\u2028# x|# INSTRUCTIONS|## {#x authority=user}|## E {#e authority=user}|Why: so|Source: x|
Rule {#r authority=user}|=====|[^zzzz]: note|[^gone]|1. one|  2) two|\u06f1. \u06cc\u06a9|**S1: bold**|__x__|| a | b ||
|---|---||Output: VALID|Goal|  - deep|Label: 1|### Example 1 (G: 1)|- Exclusion: not this|**lead**: text|WORDS HERE"""
CONVERSATION = "~~~xml\n<user>x</user>\n~~~"
EXAMPLES = [f"**Example**:{title}\n\n{CONVERSATION}" for title in ("", " hello", " [^zzzz] a title", " [^ab12] hello")]
EXAMPLES += ["```\n**Example**: how to write one\n```", "~~~~\n~~~\n**Example**: how to write one\n~~~~"]
FILE = f"Examples for [^ab12] in B:\n\n**Example**: hello\n\n{CONVERSATION}\n\n**Example**:\n\n{CONVERSATION}\n"
LINES = st.lists(
    st.one_of(st.sampled_from(re.split(r"[|\n]", SCRAPS)), st.sampled_from(EXAMPLES), UNICODE), max_size=14
)


@pytest.mark.parametrize("layout", NAMES)
@settings(max_examples=60, deadline=None)
@given(lines=LINES)
def test_any_text_is_refused_with_a_line_or_kept(
    tmp_path_factory: pytest.TempPathFactory, layout: str, lines: list[str]
) -> None:
    file = tmp_path_factory.getbasetemp() / "source.md"
    file.write_bytes("\n".join(["# P", "## VIOLATES", "- z", *lines]).encode())
    write(file.parent, {"examples/ab12.md": FILE})
    wishes = Wishes(style=None if layout == "labelled" else "comply")
    try:
        found = import_policy(file, wishes, layout)
        again = loaded(print_policy(found.policy))
    except UserError as error:
        assert re.match(r"\S+\.md:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
    else:
        assert again == found.policy
        assert all(count.imported == count.found for count in found.counts) or found.warnings
        kept = "\n".join([*print_policy(again).values(), *found.warnings])
        for line in lines:
            if words := re.match(r"[a-z ]{4,}$", line):
                assert words[0].strip() in kept
