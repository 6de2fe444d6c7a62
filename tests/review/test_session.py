import html
import re
from pathlib import Path

import pytest

from deliberant.review import Labels, Samples
from deliberant.review.page import render
from deliberant.review.session import Session
from deliberant.util.errors import UserError
from tests.review.reviewed import HOSTILE, KEPT, labelled, reviewed


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(reviewed(tmp_path).root)


def session(samples: Samples, blind: bool = True) -> Session:
    return Session(samples, Labels(samples), sorted(samples.entries, key=lambda each: each.id), "ana", blind)


def page(found: Session, **query: str) -> str:
    return render(found, found.view(query), "token", "nonce")


def at(found: Session, name: str) -> str:
    return str([entry.id for entry in found.entries].index(name))


def test_a_blind_page_says_nothing_of_the_judge_until_the_decision(samples: Samples) -> None:
    found = session(samples)
    for entry in found.entries:
        shown = page(found, at=at(found, entry.id), show="all")
        assert "Hidden until you have decided" in shown
        assert not re.search(r"low score|score [0-9]|reading [0-9]|cites no clause|not asked", shown), entry.id
    found.decide({"sample_id": "stove#1", "decision": "accept"})
    shown = page(found, at=at(found, "stove#1"), show="all")
    assert "low score" in shown and "reading 3: 2, clause F2" in shown and "You accepted this" in shown
    assert "Hidden" not in shown
    assert "score 5" in page(session(samples, blind=False), at="0", show="all")


def test_filters_do_not_give_a_fate_away(samples: Samples) -> None:
    found = session(samples)
    view = found.view({"fate": "kept", "show": "all"})
    assert found.left(view) is None and "Nothing fits" in page(found, fate="kept", show="all")
    for name in ("stove#0", "stove#1"):
        found.decide({"sample_id": name, "decision": "accept"})
    assert found.entries[found.left(view) or 0].id == "stove#0"
    opened = session(samples, blind=False)
    view = opened.view({"fate": "kept", "show": "all", "at": "-"})
    seen = set()
    while (place := opened.next(view)) is not None:
        seen.add(opened.entries[view.at].id)
        view = opened.view({"fate": "kept", "show": "all", "at": str(place)})
    assert {*seen, opened.entries[view.at].id} == KEPT


def test_labels_say_whether_they_were_blind(samples: Samples) -> None:
    found = session(samples)
    assert found.decide({"sample_id": "stove#0", "decision": "accept"}).blind is True
    assert found.decide({"sample_id": "stove#0", "decision": "reject"}).blind is False
    assert session(samples, blind=False).decide({"sample_id": "stove#1", "decision": "accept"}).blind is False


def test_deciding_goes_through_all_undecided_and_back_again(samples: Samples) -> None:
    labelled(samples, "hearth#1 accept, pruning#0 reject")
    labelled(samples, "hearth#0 accept", "ben")
    found = session(samples)
    assert found.reviewed == 2 and "2 of 12 reviewed" in page(found)
    view, seen = found.view({}), []
    while True:
        seen.append(found.entries[view.at].id)
        found.decide({"sample_id": seen[-1], "decision": "reject", "clause": "F1", "comment": " no\r\nway "})
        if (place := found.left(view)) is None:
            break
        view = found.view({"at": str(place)})
    assert sorted([*seen, "hearth#1", "pruning#0"]) == [entry.id for entry in found.entries]
    assert found.reviewed == 12 and "Nothing undecided is left" in page(found)
    assert found.next(view, -1) is not None, "back goes to decided ones, too"
    assert "with the verdict in view" not in page(found, at=at(found, "hearth#1")), "an imported label does not say"
    again = session(samples)
    assert again.reviewed == 12 and again.decided["stove#0"].comment == "no\nway"
    assert "no\nway</textarea>" in page(again, at=at(again, "stove#0"))


def test_hostile_text_stays_text_everywhere(samples: Samples) -> None:
    found = session(samples, blind=False)
    found.decide({"sample_id": "hearth#2", "decision": "accept", "comment": HOSTILE + "</textarea>"})
    shown = page(found, at=at(found, "hearth#2"), show="all")
    assert "<script>alert" not in shown and shown.count("</textarea>") == 1
    assert shown.count("<script") == 1 and html.escape("<script>alert", quote=False) in shown
    assert "is no clause of this policy" not in shown
    assert "is no clause of this policy" in page(found, at=at(found, "stove#3"), show="all")


@pytest.mark.parametrize(
    "query", [{"at": "99"}, {"at": "-1"}, {"at": "²"}, {"category": "<b>"}, {"show": "x"}, {"fate": "y"}]
)
def test_a_strange_address_shows_the_first_sample(samples: Samples, query: dict[str, str]) -> None:
    assert "<b>1</b> of 12" in page(session(samples), **query)


@pytest.mark.parametrize(
    ("form", "what"),
    [
        ({}, "names no sample"),
        ({"sample_id": "nope"}, "names no sample"),
        ({"sample_id": "stove#0"}, "decision: unknown value ''"),
        ({"sample_id": "stove#0", "decision": "accept", "clause": "Z1"}, "clause 'Z1' is not in the policy"),
        ({"sample_id": "stove#0", "decision": "accept", "comment": "x" * 10_001}, "at most 10000 characters"),
    ],
)
def test_a_form_with_a_mistake_stores_nothing(samples: Samples, form: dict[str, str], what: str) -> None:
    found = session(samples)
    with pytest.raises(UserError, match=what):
        found.decide(form)
    assert found.reviewed == 0 and Labels(samples).read() == []
