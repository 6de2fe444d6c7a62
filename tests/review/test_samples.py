from collections import Counter
from pathlib import Path

import pytest

from deliberant.review import Entry, Samples, draw
from deliberant.util.errors import RunError, UserError
from tests.review.reviewed import KEPT, TEXTS, UNJUDGED, reviewed
from tests.stages.scripted import Scripted, make_run


def test_every_sample_is_there_with_its_fate_and_its_text(tmp_path: Path) -> None:
    samples = Samples(reviewed(tmp_path).root)
    assert sorted(samples.by_id) == sorted(f"{name}#{place}" for name in TEXTS for place in range(4))
    assert {entry.id for entry in samples.entries if entry.kept} == KEPT
    assert {entry.id for entry in samples.entries if not entry.judged} == UNJUDGED
    for entry in samples.entries:
        name, place = entry.id.split("#")
        assert entry.row["reasoning"] == TEXTS[name][int(place)]
    assert (samples.threshold, samples.k) == (4, 3)
    assert samples.prompts(samples.entries).keys() == TEXTS.keys()


def test_a_run_that_is_none_and_a_damaged_one_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "early", Scripted(lambda request: ""))
    with pytest.raises(UserError, match=r"filter has not finished; run `deliberant filter"):
        Samples(run.root)
    root = reviewed(tmp_path / "late").root
    (root / "filter" / "kept.jsonl").write_bytes(b"{\n")
    with pytest.raises(RunError, match=r"kept\.jsonl: was changed"):
        Samples(root)


def entries(sizes: dict[tuple[str, bool], int]) -> list[Entry]:
    return [
        Entry(f"{area}-{kept}-{n}", "p", (area,), kept, "", {})
        for (area, kept), size in sizes.items()
        for n in range(size)
    ]


def test_a_draw_is_even_over_strata_nested_and_the_same_for_the_same_seed() -> None:
    everything = entries({("a", True): 1000, ("a", False): 3, ("b", True): 50, ("b", False): 40})
    drawn = draw(everything, 63, 0)
    counts = Counter((entry.area, entry.kept) for entry in drawn)
    assert counts == {("a", True): 20, ("a", False): 3, ("b", True): 20, ("b", False): 20}
    assert drawn == draw(list(reversed(everything)), 63, 0)
    assert {each.id for each in drawn} != {each.id for each in draw(everything, 63, 1)}
    assert {each.id for each in drawn} < {each.id for each in draw(everything, 100, 0)}
    assert sorted(each.id for each in draw(everything, None, 0)) == sorted(each.id for each in everything)
    assert draw([], 5, 0) == []
    fates = [entry.kept for entry in drawn]
    assert any(fates[place] == fates[place + 1] for place in range(20)), "the order must not give the fate away"
