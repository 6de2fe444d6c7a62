from dataclasses import replace
from pathlib import Path

import pytest

from deliberant.prompts import Hint, Prompt, read_prompts
from deliberant.review import Labels, Samples
from deliberant.review.hints import Account, with_hints
from deliberant.util.errors import UserError
from tests.review.reviewed import labelled, reviewed


def hinted(root: Path, prompts: list[Prompt] | None = None, least: float = 1.0) -> tuple[dict[str, Prompt], Account]:
    samples, account = Samples(root), Account()
    given = read_prompts(root / "prompts" / "sft.jsonl") if prompts is None else prompts
    found = with_hints(given, samples, Labels(samples).read(), account, least)
    return {prompt.id: prompt for prompt in found}, account


def test_a_label_becomes_a_hint_with_its_source(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "hearth#0 accept, hearth#1 reject F2, stove#1 reject F1, pruning#3 reject")
    found, account = hinted(root)
    assert found["hearth"].hints == (Hint("review:ana", "comply", 1.0, "F2"),)
    assert found["stove"].hints == (Hint("review:ana", "refuse", 1.0, "F1"),)
    assert found["pruning"].hints == ()
    assert vars(account) == {
        "prompts": 3,
        "hinted": 2,
        "with_clause": 2,
        "conflicting": 0,
        "undecided": 0,
        "silent": 1,
        "other_text": 0,
        "stale": 0,
        "styles": {"comply": 1, "refuse": 1},
    }


def test_conflicts_are_counted_and_left_out_unless_a_share_is_enough(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "hearth#0 accept, stove#0 accept")
    labelled(Samples(root), "hearth#1 accept, stove#0 accept", "ben")  # hearth#1 cites F1, which refuses
    found, account = hinted(root)
    assert found["hearth"].hints == () and found["stove"].hints == (Hint("review:ana+ben", "comply", 1.0, "F2"),)
    assert (account.conflicting, account.hinted) == (1, 1)
    assert hinted(root, least=0.5)[1].conflicting == 1, "a tie is no majority"
    labelled(Samples(root), "hearth#2 accept F2", "cleo")
    assert hinted(root)[0]["hearth"].hints == ()
    assert hinted(root, least=0.6)[0]["hearth"].hints == (Hint("review:ana+cleo", "comply", 0.667, "F2"),)


def test_who_tells_no_style_counts_among_the_reviewers(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "hearth#0 accept, stove#0 accept")
    for name in ("ben", "cleo"):
        labelled(Samples(root), "hearth#0 reject", name)
    found, account = hinted(root, least=0.5)
    assert found["hearth"].hints == () and (account.conflicting, account.hinted) == (1, 1)
    for name in ("dan", "eve"):
        labelled(Samples(root), "hearth#0 accept", name)
    assert hinted(root)[1].conflicting == 1
    assert hinted(root, least=0.6)[0]["hearth"].hints == (Hint("review:ana+dan+eve", "comply", 0.6, "F2"),)


def test_a_corrected_clause_is_carried_and_none_where_those_of_one_style_differ(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "hearth#1 reject T1, stove#0 accept, pruning#0 reject F2, pruning#1 accept")
    labelled(Samples(root), "stove#0 accept T1", "ben")  # T1 complies, like F2
    found, account = hinted(root)
    assert found["hearth"].hints == (Hint("review:ana", "comply", 1.0, "T1"),)
    assert found["stove"].hints == (Hint("review:ana+ben", "comply", 1.0),)
    assert found["pruning"].hints == (Hint("review:ana", "comply", 1.0),), "one reviewer, two clauses of one style"
    assert (account.hinted, account.with_clause) == (3, 1)


def test_an_accepted_sample_that_cites_no_real_clause_tells_nothing(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "stove#3 accept")  # it cites [X9]
    found, account = hinted(root)
    assert found["stove"].hints == () and account.silent == 1


def test_who_says_two_styles_of_one_prompt_says_nothing(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "hearth#0 accept, hearth#1 accept")
    found, account = hinted(root)
    assert found["hearth"].hints == () and account.undecided == 1


def test_other_hints_stay_and_an_earlier_review_goes(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "hearth#0 accept")
    prompts = [
        replace(each, hints=(Hint("a set", "refuse", 0.5), Hint("review:zoe", "refuse", 1.0)))
        for each in read_prompts(root / "prompts" / "sft.jsonl")
    ]
    found, _ = hinted(root, prompts)
    assert found["hearth"].hints == (Hint("a set", "refuse", 0.5), Hint("review:ana", "comply", 1.0, "F2"))
    assert found["stove"].hints == prompts[1].hints


def test_a_prompt_of_another_text_is_left_as_it_is(tmp_path: Path) -> None:
    root = reviewed(tmp_path).root
    labelled(Samples(root), "hearth#0 accept")
    prompts = read_prompts(root / "prompts" / "sft.jsonl")
    changed = [replace(each, messages=({"role": "user", "content": "other"},)) for each in prompts]
    found, account = hinted(root, changed)
    assert found["hearth"] == changed[0] and (account.other_text, account.hinted) == (1, 0)


def test_without_labels_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no labels"):
        hinted(reviewed(tmp_path).root)
