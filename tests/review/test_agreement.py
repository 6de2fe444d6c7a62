"""Formulas against worked examples of the literature, intervals against what they have to do."""

import random

import pytest

from deliberant.review.agreement import Pair, confusion, judge_alpha, kappa, rates, reviewers_alpha


def pairs(both: int, people: int, judge: int, neither: int, unscored: int = 0) -> list[Pair]:
    cells = [(True, True)] * both + [(True, False)] * people + [(False, True)] * judge + [(False, False)] * neither
    found = [Pair(str(place), *cell) for place, cell in enumerate(cells)]
    return found + [Pair(f"u{place}", False, None) for place in range(unscored)]


def test_rates_are_those_of_the_confusion_table() -> None:
    given = pairs(20, 5, 10, 15, unscored=3)
    assert confusion(given) == {
        "accept": {"accept": 20, "reject": 5, "unscored": 0},
        "reject": {"accept": 10, "reject": 15, "unscored": 3},
    }
    found = {each.name: (each.labelled.value, each.labelled.n, each.unscored) for each in rates(given)}
    assert found == {
        "accuracy": (35 / 50, 50, 3),
        "precision of accept": (20 / 30, 30, 3),
        "recall of accept": (20 / 25, 25, 0),
        "precision of reject": (15 / 20, 20, 3),
        "recall of reject": (15 / 25, 25, 3),
    }


def test_kappa_is_cohens_with_an_interval_around_it() -> None:
    found = kappa(pairs(20, 5, 10, 15, unscored=2), resamples=200)  # po 0.7, pe 0.5
    assert found.labelled.value == pytest.approx(0.4)
    assert found.labelled.low is not None and found.labelled.high is not None
    assert 0.1 < found.labelled.low < 0.4 < found.labelled.high < 0.7
    assert (found.labelled.n, found.unscored) == (50, 2)


def test_weights_undo_an_uneven_draw() -> None:
    """A run of 900 kept, 90% of them rightly, and 100 rejected, half of them rightly, read 50 and 50."""
    read = [Pair(f"k{n}", n % 10 != 0, True, 18.0) for n in range(50)]
    read += [Pair(f"r{n}", n % 2 == 0, False, 2.0) for n in range(50)]
    accuracy, _, recall, *_ = rates(read)
    assert accuracy.labelled.value == pytest.approx((45 + 25) / 100)
    assert accuracy.run is not None and accuracy.run.value == pytest.approx((810 + 50) / 1000)
    assert recall.run is not None and recall.run.value == pytest.approx(810 / 860)
    assert accuracy.run.n == 100, "n counts what was read, not what it stands for"


def test_coefficients_say_nothing_where_only_one_decision_was_made() -> None:
    same = pairs(10, 0, 0, 0)
    assert kappa(same).labelled.value is None and judge_alpha(same).labelled.value is None
    perfect = kappa(pairs(10, 0, 0, 10), resamples=50).labelled
    assert (perfect.value, perfect.low, perfect.high) == (1.0, None, None)
    assert kappa([]).labelled.n == 0 and judge_alpha([]).labelled.value is None


def test_alpha_is_that_of_the_worked_example() -> None:
    """Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), A: two observers, binary data: 0.095."""
    first, second = "0100000010", "1110010000"
    found = judge_alpha(
        [Pair(str(n), a == "1", b == "1") for n, (a, b) in enumerate(zip(first, second, strict=True))], resamples=20
    )
    assert found.labelled.value == pytest.approx(0.095, abs=5e-4)


def test_alpha_between_reviewers_counts_who_read_alone() -> None:
    decisions = {(f"s{n}", who): n % 2 == 0 for n in range(10) for who in ("ana", "ben")}
    decisions |= {("s0", "cleo"): True, ("alone", "cleo"): False}
    families = {sample: sample for sample, _ in decisions}
    found = reviewers_alpha(decisions, families, resamples=20)
    assert (found.labelled.value, found.labelled.n, found.unscored) == (1.0, 10, 1)
    rng = random.Random(0)
    noise = {key: rng.random() < 0.5 for key in ((f"s{n}", who) for n in range(200) for who in ("ana", "ben"))}
    chance = reviewers_alpha(noise, {sample: sample for sample, _ in noise}, resamples=100).labelled
    assert chance.low is not None and chance.high is not None and chance.low < 0 < chance.high


def test_families_widen_the_interval() -> None:
    """Ten families of twenty alike samples hold ten answers, not two hundred."""
    alone = [Pair(str(n), n % 5 != 0, True) for n in range(200)]
    families = [Pair(str(n // 20), n // 20 % 5 != 0, True) for n in range(200)]
    widths = []
    for given in (alone, families):
        accuracy = rates(given)[0].labelled
        assert accuracy.value == 0.8 and accuracy.low is not None and accuracy.high is not None
        widths.append(accuracy.high - accuracy.low)
    assert widths[1] > 2 * widths[0]


def test_a_reviewer_alone_has_no_weights() -> None:
    assert kappa(pairs(3, 1, 1, 3), "ana", resamples=5).run is None
