import random
from pathlib import Path

from deliberant.micro.policies import held_out_title, random_policy, show
from deliberant.micro.world import area_of_wording, covers, kind_of_wording
from deliberant.policy import load_policy, print_policy


def test_random_policies_load_like_any_other(tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(20):
        policy = random_policy(rng)
        for name, text in print_policy(policy).items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        loaded = load_policy(tmp_path / str(number))
        assert {c.id for category in loaded.categories for c in category.clauses} == {
            c.id for category in policy.categories for c in category.clauses
        }


def test_held_out_titles_never_appear_in_pre_training_and_do_in_measurement() -> None:
    rng = random.Random(1)
    seen = [c.title for _ in range(200) for category in random_policy(rng).categories for c in category.clauses]
    fresh = [c.title for _ in range(50) for category in random_policy(rng, True).categories for c in category.clauses]
    assert not any(map(held_out_title, seen))
    assert sum(map(held_out_title, fresh)) / len(fresh) > 0.8


def test_a_drawn_request_is_covered_by_its_clause() -> None:
    rng = random.Random(2)
    for _ in range(200):
        shown = show(rng)
        [(ask, clause)] = shown.draw(rng)
        area, kind = clause.title.split()
        assert covers(area_of_wording()[area], ask.topic) and kind_of_wording()[kind] == ask.kind
        assert f"{clause.title} [{clause.id}] {clause.style}" in shown.view


def test_most_categories_call_their_area_by_several_words() -> None:
    rng = random.Random(4)
    categories = [
        category for _ in range(200) for category in random_policy(rng).categories if len(category.clauses) > 4
    ]
    mixed = [len({clause.title.split()[0] for clause in category.clauses}) > 1 for category in categories]
    assert 0.6 < sum(mixed) / len(mixed) < 0.8
