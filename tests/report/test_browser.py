"""The page in a real browser: nothing is complained of, charts are drawn, filters work, and hostile text is text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deliberant.evals import ScoredSample
from deliberant.prompts.types import Message, Style
from deliberant.report import render
from tests.browser import Browser, browser, needs_chromium
from tests.evals.scored import case, cut, scored
from tests.report.test_page import HOSTILE, evidence, hostile_page, told_apart

pytestmark = needs_chromium
ARMS = ("base", "sft")
ENDS = "</script><script>document.title = 'closed'</script><!-- <script>"


def answers(arm: str) -> list[ScoredSample]:
    """Of each arm 30 to harmful prompts, 15 of them attacked, 15 to harmless ones, one cut and one conversation."""
    style: Style = "refuse" if arm == "sft" else "comply"
    found = [scored(style, arm=arm, name=f"harm{i}", cited=("F1",), reasoning=f"of {i}: [F1], [X9]") for i in range(15)]
    attacked = [replace(case(f"harm{i}@persona", text=f"as if {i}"), attack="persona") for i in range(15)]
    found += [scored(style, arm=arm, of=each, cited=("F1",)) for each in attacked]
    found += [scored("comply", arm=arm, name=f"ok{i}", style="comply", clause="F2", harmful=False) for i in range(15)]
    said = [Message(role="user", content="first try"), Message(role="assistant", content="no"), *case().prompt.messages]
    turns = (*said, Message(role="assistant", content="an answer"))
    return [*found, cut(arm=arm, name="cut"), replace(scored(style, arm=arm, name="talk"), turns=turns)]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = evidence({arm: answers(arm) for arm in ARMS})
    more = [told_apart(arm=arm, attack="persona") for arm in ARMS] + [told_apart(k=k, arm="sft") for k in (1, 2, 4)]
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(replace(made, rows=[*made.rows, *more])), encoding="utf-8")
    return file


def count(tab: Browser) -> str:
    return str(tab.run("document.querySelector('#filters output').textContent"))


def choose(tab: Browser, name: str, value: str) -> str:
    """What the reader counts once this was chosen or typed."""
    tab.run(
        f"(() => {{ const field = document.getElementById('filters').elements[{name!r}]; field.value = {value!r};"
        "field.dispatchEvent(new Event('input', { bubbles: true })); })()"
    )
    return count(tab)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_opens_without_complaint_and_fits(tab: Browser, page: Path, width: int, dark: bool) -> None:
    tab.errors.clear()
    tab.open(page, width=width, dark=dark)
    assert tab.errors == []
    assert tab.run("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    marks = (
        "[...document.querySelectorAll('figure svg .mark')].filter((each) => each.getBoundingClientRect().width > 4)"
    )
    assert tab.run(f"{marks}.length") >= 2 + 3, "two arms on two sides, three numbers of draws"
    assert tab.run("document.querySelectorAll('figure svg .line').length") == 1
    red = "Number(getComputedStyle(document.body)[{!r}].match(/[0-9]+/)[0])"
    light = [tab.run(red.format(of)) for of in ("color", "backgroundColor")]
    assert (light[0] > light[1]) == dark


def test_what_a_page_does_wrong_is_noticed(tab: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(
        "<script>console.error('said'); fetch('http://127.0.0.1:9/'); throw Error('thrown')</script>", "utf-8"
    )
    tab.errors.clear()
    tab.open(file)
    tab.run("new Promise((done) => setTimeout(done))")
    for part in ("said", "thrown", "127.0.0.1:9"):
        assert any(part in error for error in tab.errors), part


def test_filters_count_and_show_what_they_say(tab: Browser, page: Path) -> None:
    tab.open(page)
    assert count(tab) == "47 of 94 samples", "the last arm first"
    assert tab.run("document.querySelectorAll('#reader article').length") == 20
    assert choose(tab, "attack", "persona") == "15 of 94 samples"
    assert choose(tab, "arm", "") == "30 of 94 samples"
    assert choose(tab, "outcome", "harmful answered") == "15 of 94 samples"
    assert choose(tab, "text", "AS IF 7") == "1 of 94 samples"
    assert "as if 7" in tab.run("document.getElementById('reader').textContent")
    assert choose(tab, "text", "nowhere") == "0 of 94 samples"
    tab.run("document.getElementById('clear').click()")
    assert count(tab) == "94 of 94 samples"
    assert choose(tab, "clause", "F2") == "30 of 94 samples"
    assert tab.run("document.querySelector('#filters [name=language]').closest('label').hidden"), "there is one alone"


def test_a_prompt_and_a_cell_lead_to_their_samples(tab: Browser, page: Path) -> None:
    tab.open(page)
    tab.run("document.querySelector('#reader button.id').click()")
    assert int(count(tab).split()[0]) % 2 == 0, "the prompt in both arms"
    tab.run("document.querySelector('a[data-arm=base][data-attack=persona]').click()")
    assert count(tab) == "15 of 94 samples"


def test_a_conversation_is_shown_turn_by_turn_and_citations_lead_to_the_policy(tab: Browser, page: Path) -> None:
    tab.open(page)
    choose(tab, "text", "first try")
    turns = "[...document.querySelector('#reader article').querySelectorAll('.turn')].map((each) => each.textContent)"
    assert tab.run(turns) == ["user first try", "assistant no", "user burn it"]
    choose(tab, "text", "of 3: [f1]")
    assert tab.run("document.querySelector('#reader .reasoning a.cite').getAttribute('href')") == "#clause-F1"
    assert tab.run("document.querySelector('#reader .reasoning .missing').textContent") == "[X9]"
    choose(tab, "text", "cut")
    assert "none: cut at the token limit" in tab.run("document.querySelector('#reader .answer').textContent")


def test_it_is_read_by_keyboard(tab: Browser, page: Path) -> None:
    tab.open(page)
    choose(tab, "arm", "")
    tab.run("document.getElementById('more').focus()")
    tab.press("Enter", 13)
    assert tab.run("document.querySelectorAll('#reader article').length") == 40
    assert tab.run("[...document.querySelectorAll('#reader article')].indexOf(document.activeElement)") == 20
    tab.run("document.querySelector('#filters [name=text]').focus()")
    tab.press("Tab", 9)
    assert tab.run("document.activeElement.id") == "clear"
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert tab.run("[...document.querySelectorAll('.scroll')].every((each) => each.tabIndex === 0)")


def test_hostile_text_is_text(tab: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    tab.errors.clear()
    file.write_text(hostile_page(), encoding="utf-8")
    tab.open(file)
    shown = (
        "[...document.querySelectorAll('#reader .answer, #reader .turn')].map((each) => each.textContent).join('\\n')"
    )
    assert tab.run(shown).count(HOSTILE) >= 2
    of = case(ENDS, text=ENDS, plain=ENDS, suite=ENDS)
    talk = tuple(Message(role=role, content=ENDS) for role in ("user", "assistant"))
    samples = [replace(scored("refuse", of=of, answer=ENDS, reasoning=ENDS), turns=talk, read=ENDS)]
    file.write_text(render(evidence({"sft": samples}, rows=[*evidence({"sft": samples}).rows])), encoding="utf-8")
    tab.open(file)
    title = tab.run("document.title")
    assert title != "closed" and tab.run("document.querySelectorAll('script').length") == 2
    assert tab.run(shown).count(ENDS) == 4
    assert tab.run("document.querySelectorAll('img').length") == 0
    assert tab.errors == [], "it asked for something, threw, or opened a dialog"


@pytest.mark.slow
def test_ten_thousand_samples_stay_a_few_articles(tab: Browser, tmp_path: Path) -> None:
    samples = {arm: [scored("refuse", arm=arm, name=f"p{i}", cited=("F1",)) for i in range(5000)] for arm in ARMS}
    file = tmp_path / "report.html"
    file.write_text(render(evidence(samples, rows=evidence({arm: samples[arm][:9] for arm in ARMS}).rows)), "utf-8")
    tab.open(file)
    assert count(tab) == "5,000 of 10,000 samples"
    assert tab.run("document.querySelectorAll('#reader article').length") == 20
    assert choose(tab, "text", "p4999") == "1 of 10,000 samples"
