import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, t

from benchmarks.coverage import trial
from deliberant.evals import Tally, difference, rate, wilson
from deliberant.evals.statistics import _quantile


def tallies(hits: list[int]) -> list[Tally]:
    return [Tally(hit, 1) for hit in hits]


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (7, 10), (93, 100), (1, 1)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high))


def test_the_same_seed_gives_the_same_interval() -> None:
    rows, families = tallies([int(i % 7 in (1, 2, 4)) for i in range(97)]), [str(i // 2) for i in range(97)]
    assert rate(rows, families, seed=3) == rate(rows, families, seed=3)
    assert rate(rows, families, seed=3) != rate(rows, families, seed=4)


def test_independent_prompts_get_the_textbook_interval() -> None:
    rng = np.random.default_rng(0)
    hits = [int(hit) for hit in rng.random(400) < 0.7]
    found = rate(tallies(hits), [str(i) for i in range(400)], resamples=4000)
    p = sum(hits) / 400
    half = 1.96 * (p * (1 - p) / 400) ** 0.5
    assert (found.low, found.high) == pytest.approx((p - half, p + half), abs=0.01)


def test_prompts_of_one_family_are_no_independent_evidence() -> None:
    hits = [int(family % 3 > 0) for family in range(30) for _ in range(10)]
    alone = rate(tallies(hits), [str(i) for i in range(300)])
    together = rate(tallies(hits), [str(i // 10) for i in range(300)])
    assert together.high - together.low > 2 * (alone.high - alone.low)  # type: ignore[operator]


def test_without_a_failure_the_interval_is_wilsons_over_families() -> None:
    found = rate(tallies([1] * 40), [str(i // 4) for i in range(40)])
    assert (found.value, found.n) == (1.0, 40)
    assert (found.low, found.high) == pytest.approx(wilson(1.0, 10))


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_quantile_is_students(shares: list[float]) -> None:
    values = np.array(shares)
    if (values**2).mean() < 1e-6:
        return
    kurtosis = (values**4).mean() / (values**2).mean() ** 2
    freedom = min(max(8.0, 2 * len(values) / max(kurtosis - 1, 1e-9)), len(values) - 1)
    assert _quantile(values) == pytest.approx(t.ppf(0.975, freedom), rel=0.12 if freedom < 3 else 0.02)


def test_few_families_that_fail_make_a_wider_interval_than_the_percentiles() -> None:
    """One family of 30 failed half: the resamples alone know nothing of those that may fail next."""
    rows, families = tallies([0] * 5 + [1] * 295), [str(i // 10) for i in range(300)]
    found = rate(rows, families, resamples=4000)
    assert found.low < 0.9  # type: ignore[operator]
    rng = np.random.default_rng(0)
    drawn = 1 - 0.5 * rng.binomial(30, 1 / 30, 4000) / 30
    assert found.low < np.percentile(drawn, 2.5) - 0.02  # type: ignore[operator]


@pytest.mark.parametrize(("truth", "size", "correlation"), [(0.7, 1, 0.0), (0.9, 5, 0.3), (0.95, 10, 0.3)])
def test_intervals_hold_the_truth_as_often_as_they_say(truth: float, size: int, correlation: float) -> None:
    """In seeded data; benchmarks/coverage.py measures it at length."""
    rng = np.random.default_rng(0)
    held = [trial(rng, 60, (size,), correlation, (truth,), 200)[1] for _ in range(300)]
    assert 0.92 <= np.mean(held) <= 0.99


def test_paired_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held = [trial(rng, 60, (1, 2, 3), 0.3, (0.9, 0.8), 200)[1] for _ in range(300)]
    assert 0.92 <= np.mean(held) <= 0.99


def test_nothing_to_count_is_no_zero() -> None:
    found = rate([Tally(0, 0)] * 3, list("abc"))
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)
    assert difference(tallies([1]), [Tally(0, 0)], ["a"]).value is None


def test_pairing_removes_what_both_arms_share() -> None:
    hard = [i % 2 for i in range(200)]
    better = [1 if i < 20 else hit for i, hit in enumerate(hard)]
    families = [str(i) for i in range(200)]
    paired = difference(tallies(better), tallies(hard), families)
    assert paired.value == pytest.approx(0.05)
    assert paired.low > 0  # type: ignore[operator]
    widths = [rate(tallies(arm), families) for arm in (better, hard)]
    assert paired.high - paired.low < max(each.high - each.low for each in widths)  # type: ignore[operator]


def test_equal_arms_differ_by_nothing_known_for_sure() -> None:
    """The interval is that of no pair in 20 that differs."""
    _, unlike = wilson(0, 20)
    for hits in ([1] * 20, [0, 1] * 10):
        found = difference(tallies(hits), tallies(hits), [str(i) for i in range(20)])
        assert [found.value, found.low, found.high] == pytest.approx([0, -unlike, unlike])
    found = difference(tallies([1] * 20), tallies([0] * 20), [str(i) for i in range(20)])
    assert [found.value, found.low, found.high] == pytest.approx([1, 1 - 2 * unlike, 1])


SAMPLES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from("abcde")), min_size=1, max_size=30)


@given(SAMPLES)
@settings(max_examples=60, deadline=None)
def test_an_interval_holds_its_value_and_stays_in_range(samples: list[tuple[int, int, str]]) -> None:
    rows = [Tally(min(hits, trials), trials) for hits, trials, _ in samples]
    found = rate(rows, [family for *_, family in samples], resamples=200)
    if found.n:
        assert 0 <= found.low <= found.high <= 1  # type: ignore[operator]
        assert found.value == pytest.approx(sum(row.hits for row in rows) / found.n)


@given(SAMPLES)
@settings(max_examples=60, deadline=None)
def test_a_difference_is_minus_the_other_way_round(samples: list[tuple[int, int, str]]) -> None:
    ours, theirs = [Tally(a > 1, 1) for a, _, _ in samples], [Tally(b > 1, 1) for _, b, _ in samples]
    families = [family for *_, family in samples]
    one, other = difference(ours, theirs, families), difference(theirs, ours, families)
    assert one.value == pytest.approx(-other.value)  # type: ignore[operator]
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))  # type: ignore[operator]
