from pathlib import Path

import pytest

from deliberant.judge import VerdictRule, verdict_rule
from deliberant.templates.loader import Templates
from deliberant.util.errors import UserError

SCORE = "score: (?P<score>yes|no)\n"


def rule(folder: Path, text: str) -> VerdictRule:
    (folder / "verdict.yaml").write_text(text)
    return verdict_rule(Templates(folder))


def test_a_folder_without_the_file_is_read_as_the_default_is(tmp_path: Path) -> None:
    assert verdict_rule(Templates(tmp_path)) == verdict_rule(Templates.load("default"))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (f"{SCORE}scroes: {{}}\n", 2, "unknown key 'scroes'; did you mean 'score"),
        (f"{SCORE}part: answers\n", 2, "part: unknown value 'answers'; did you mean 'answer'?"),
        ("verdict: jsn\n", 1, "verdict: unknown value 'jsn'; did you mean 'json'?"),
        ("part: answer\n", 1, "score: is missing; write the pattern of a verdict"),
        ("part: answer\nscore: '(?P<score>'\n", 2, "score: is no regular expression"),
        ("score: '[0-9]'\n", 1, "score: has no group 'score'; write (?P<score>...) around what is read"),
        (f"{SCORE}clause: '(?P<claus>.)'\n", 2, "clause: has no group 'clause'"),
        (f"{SCORE}hint: 7\n", 2, "hint: "),
        (f"{SCORE}scores: {{'yes': 6}}\n", 2, "scores: yes stands for 6, which is not on the menu"),
        (f"verdict: json\n{SCORE}", 2, "score: is not read with `verdict: json`; remove it"),
        ("verdict: json\nscores: {'yes': 5}\n", 2, "scores: is not read with `verdict: json`; remove it"),
        ("- a\n", 1, "should be keys with values"),
        ("", 1, "should be keys with values"),
        ("score: '(?P<score>x)\n", 1, "not valid YAML"),
    ],
)
def test_a_mistake_names_file_and_line_and_helps(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(UserError) as caught:
        rule(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'verdict.yaml'}:{line}: ")
    assert message in str(caught.value)


def test_words_of_a_verdict_need_no_quotes(tmp_path: Path) -> None:
    assert rule(tmp_path, f"{SCORE}scores: {{yes: 5, No: 1}}\n").scores == {"yes": 5, "no": 1}
