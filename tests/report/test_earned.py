from deliberant.report import earned_lines

CHANGE = {"value": 0.02, "low": -0.01, "high": 0.05, "n": 128}


def test_a_line_says_what_reinforcement_earned_and_what_became_of_it() -> None:
    rows = {
        "rl": {"before": 0.5, "after": 0.75, "change": {**CHANGE, "low": 0.01}, "unscored": 0, "kept": True},
        "sft+rl": {"before": 0.96, "after": 0.98, "change": CHANGE, "unscored": 3, "kept": False},
    }
    kept, undone = earned_lines(rows)
    assert kept == "rl: rewards of held-out prompts 50.0 before and 75.0 after, change 2.0 [1.0, 5.0] n=128: kept"
    assert "change 2.0 [-1.0, 5.0] n=128, 3 unscored: no more than chance" in undone and "started from" in undone


def test_a_judge_that_scored_nothing_earns_nothing() -> None:
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    [line] = earned_lines({"rl": {"before": None, "after": None, "change": nothing, "unscored": 4, "kept": False}})
    assert "no held-out prompt was scored" in line
