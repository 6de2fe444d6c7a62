import re
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from deliberant.judge import Verdict
from deliberant.review import Labels, Samples
from deliberant.review.calibrate import Calibration, calibrate, chances, decide
from deliberant.review.hinted import measure_hints
from deliberant.review.people import gather_people, infer_clause
from deliberant.review.readings import read_again
from deliberant.review.tables import hinted_table
from deliberant.util.errors import UserError
from deliberant.util.progress import NullProgress
from tests.review.reviewed import label, labelled, reviewed
from tests.stages.scripted import POLICY, ScriptedRun

WORDS = "hearth#0 accept, hearth#1 reject F2, hearth#3 reject, stove#1 accept, pruning#0 reject, pruning#2 accept"


@pytest.fixture
def run(tmp_path: Path) -> ScriptedRun:
    return reviewed(tmp_path)


def calibrated(run: ScriptedRun) -> Calibration:
    samples = Samples(run.root)
    return calibrate(samples, gather_people(samples, Labels(samples).read()), NullProgress(), resamples=20)


def values(figures: list[Any]) -> dict[str, tuple[float | None, int]]:
    return {each.name: (each.labelled.value, each.labelled.n) for each in figures}


def test_the_judge_is_held_against_people_on_what_it_read(run: ScriptedRun) -> None:
    labelled(Samples(run.root), WORDS)
    found = calibrated(run)
    assert found.confusion == {
        "accept": {"accept": 1, "reject": 2, "unscored": 0},
        "reject": {"accept": 1, "reject": 1, "unscored": 0},
    }
    assert values(found.judge)["accuracy"] == (2 / 5, 5)
    assert values(found.filter)["accuracy"] == (3 / 6, 6), "hearth#3 never reached the judge, and people reject it, too"
    assert found.reviewers == []
    counts = found.counts
    assert (counts["samples"], counts["judged"], counts["not_judged"], counts["readings"]) == (6, 5, 1, 15)
    assert counts["strata"] > counts["strata_without_label"] >= 0


def test_clauses_are_those_that_people_name_or_let_stand(run: ScriptedRun) -> None:
    labelled(Samples(run.root), WORDS)
    found = calibrated(run)
    assert values(found.clauses) == {  # hearth#0 F2, hearth#1 F2 for F1, stove#1 F2, pruning#2 T1
        "sample cites people's clause": (3 / 4, 4),
        "judge names people's clause": (3 / 4, 4),
    }
    assert (found.counts["clause_known"], found.counts["clause_corrected"]) == (4, 1)


def test_divided_reviewers_are_left_out_and_counted(run: ScriptedRun) -> None:
    samples = Samples(run.root)
    labelled(samples, "hearth#0 accept, hearth#1 reject, pruning#0 accept")
    labelled(samples, "hearth#0 reject, hearth#1 reject, pruning#0 accept", "ben")
    labelled(samples, "pruning#0 reject", "cleo")
    found = calibrated(run)
    assert (found.counts["conflicting"], found.counts["samples"], found.counts["reviewers"]) == (1, 3, 3)
    assert values(found.judge)["accuracy"] == (1.0, 2)
    each = values(found.reviewers)
    assert each["Krippendorff's alpha"][1] == 3
    assert each["Cohen's kappa, judge and ben"][1] == 3, "a reviewer counts where others disagree, too"


def test_no_label_is_the_users_mistake(run: ScriptedRun) -> None:
    samples = Samples(run.root)
    with pytest.raises(UserError, match=r"has no labels; make some with `deliberant review"):
        gather_people(samples, [])
    other = label(samples, "hearth#0", "accept").model_copy(update={"sample": "x"})
    with pytest.raises(UserError, match=r"has no labels \(1 are of other texts\)"):
        gather_people(samples, [other])


def test_what_a_label_means(run: ScriptedRun) -> None:
    samples = Samples(run.root)
    accept, reject = label(samples, "hearth#0", "accept"), label(samples, "hearth#0", "reject")
    assert infer_clause(accept, ["F2", "F2"], POLICY) == "F2" and infer_clause(accept, ["F1", "F2"], POLICY) is None
    assert infer_clause(reject, ["F2"], POLICY) is None
    assert infer_clause(accept, ["X9"], POLICY) is None, "no such clause"
    assert infer_clause(label(samples, "hearth#0", "reject", clause="T1"), ["F2"], POLICY) == "T1"


def reading(score: int | None) -> Verdict:
    return Verdict(score, None, None, "", None if score else "no verdict")


@given(st.lists(st.sampled_from([1, 3, 4, 5, None]), min_size=1, max_size=6), st.data())
def test_the_chances_of_k_readings_are_those_of_every_choice(scores: list[int | None], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    verdicts = [reading(score) for score in scores]
    choices = [decide(chosen, 4) for chosen in combinations(verdicts, k)]
    accepts, scored = chances(verdicts, k, 4)
    assert accepts == pytest.approx(sum(word is True for word in choices) / len(choices))
    assert scored == pytest.approx(sum(word is not None for word in choices) / len(choices))


def test_k_readings_accept_less_and_less(run: ScriptedRun) -> None:
    labelled(Samples(run.root), "pruning#0 accept, pruning#2 reject, hearth#1 reject")
    depths = calibrated(run).depths
    assert [depth.k for depth in depths] == [1, 2, 3]
    shares = [values(depth.figures) for depth in depths]
    assert [share["accepted"][0] for share in shares] == pytest.approx([(1 + 1 / 3) / 3, 1 / 3, 1 / 3])
    assert [share["false accept"] for share in shares] == [(pytest.approx(1 / 6), 2), (0.0, 2), (0.0, 2)]
    assert [share["agreement"][0] for share in shares] == pytest.approx([(2 + 2 / 3) / 3, 1.0, 1.0])


def test_reading_again_extends_k_and_resumes(run: ScriptedRun) -> None:
    labelled(Samples(run.root), WORDS)
    samples = Samples(run.root)
    people = gather_people(samples, Labels(samples).read())
    judged = [each for each in people.read if each.entry.judged]

    def again() -> dict[str, list[Verdict]]:
        return read_again(run, "again", judged, 5, run.recipe.seed)

    sampler = run.scripted["judge"]
    asked = len(sampler.batches)
    script, calls = sampler.script, iter(range(100))

    def dies(request: Any) -> Any:
        if next(calls) == 12:
            raise KeyboardInterrupt
        return script(request)

    sampler.script = dies
    with pytest.raises(KeyboardInterrupt):
        again()
    sampler.script = script
    first = again()
    assert len(sampler.batches) - asked == 4, "three chunks of two samples, one of them asked again"
    assert again() == first and len(sampler.batches) - asked == 4
    assert {name: verdicts[:3] for name, verdicts in first.items()} == {
        each.entry.id: each.entry.readings for each in judged
    }, "the first k readings are those of the filter"
    found = calibrate(samples, people, NullProgress(), first, resamples=5)
    assert [depth.k for depth in found.depths] == [1, 2, 3, 4, 5] and found.counts["readings"] == 25


def test_wrong_hints_sway_this_judge_and_it_disagrees_with_some(run: ScriptedRun) -> None:
    labelled(
        Samples(run.root), "hearth#0 accept, stove#0 accept, pruning#0 accept, pruning#1 accept, hearth#1 reject F2"
    )
    samples = Samples(run.root)
    found = measure_hints(run, samples, gather_people(samples, Labels(samples).read()), 2)
    assert (found.n, found.k, found.without_style) == (5, 2, 0)
    effects = {effect.hint: values(effect.figures) for effect in found.effects}
    assert effects["none, other seed"]["verdict flips"] == (0.0, 5)
    assert "readings that disagree with the hint" not in effects["none, other seed"]
    assert effects["right style"]["verdict flips"] == (0.0, 5), "every right style is comply, and nobody says refuse"
    assert effects["right style"]["readings that disagree with the hint"] == (1.0, 10)
    assert list(effects)[1:] == ["right style", "wrong style", "right clause", "wrong clause"]
    wrong = effects["wrong style"]
    flips, disagree = wrong["verdict flips"][0], wrong["readings that disagree with the hint"][0]
    assert flips is not None and disagree is not None and 0 < flips < 1 and 0 < disagree < 1
    assert wrong["accept turns to reject"][1] == 4 and wrong["reject turns to accept"] == (0.0, 1)
    more = next(effect.more_flips for effect in found.effects if effect.hint == "wrong style")
    assert more is not None and more.value == flips
    shown = [request.messages[-1]["content"] for batch in run.scripted["judge"].batches[-12:] for request in batch]
    assert all("another AI determined" in text and "calibration" not in text for text in shown)


def test_a_wrong_clause_is_in_view_and_of_the_right_style_where_there_is_one(run: ScriptedRun) -> None:
    labelled(Samples(run.root), "hearth#0 accept, pruning#0 accept")
    samples = Samples(run.root)
    before = len(run.scripted["judge"].requests)
    found = measure_hints(run, samples, gather_people(samples, Labels(samples).read()), 1)
    shown = [request.messages[-1]["content"] for request in run.scripted["judge"].requests[before:]]
    hints = [sorted(re.findall(r"determined that (.*?)\. It", text)) for text in shown]
    assert hints[-4:-2] == [
        ["clause [F2] applies and that the ideal response style is comply"],
        ["clause [T1] applies and that the ideal response style is comply"],
    ]
    assert hints[-2:] == [
        ["clause [F1] applies and that the ideal response style is refuse"],  # fire has no other clause
        ["clause [F2] applies and that the ideal response style is comply"],  # tools has one clause alone
    ]
    assert found.restyled == 1 and found.no_clauses is None
    effects = {effect.hint: values(effect.figures) for effect in found.effects}
    assert effects["wrong clause"]["verdict flips"] == (0.5, 2), "this judge believes whoever says refuse"
    named = "readings that name people's clause"
    assert effects["none, other seed"][named] == effects["right clause"][named] == (1.0, 2)
    assert effects["wrong clause"][named] == (0.0, 2), "nor does it look further than the first clause it reads"
    assert found.json()["wrong_clause_of_wrong_style"] == 1
    console = Console(width=140, file=StringIO())
    console.print(hinted_table(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "wrong clause" in text and "50.0 [" in text and "of 1 the wrong clause has a wrong style, too" in text


def test_prompt_files_without_one_for_clauses_try_styles_alone(run: ScriptedRun, tmp_path: Path) -> None:
    labelled(Samples(run.root), "hearth#0 accept")
    del run.templates.files["hint-clause.txt"]
    samples = Samples(run.root)
    found = measure_hints(run, samples, gather_people(samples, Labels(samples).read()), 1)
    assert [effect.hint for effect in found.effects] == ["none, other seed", "right style", "wrong style"]
    assert found.no_clauses == "the prompt files 'default' have no hint-clause.txt"


def test_without_a_known_clause_no_hint_is_known_to_be_wrong(run: ScriptedRun) -> None:
    labelled(Samples(run.root), "hearth#1 reject")
    samples = Samples(run.root)
    with pytest.raises(UserError, match="no hint is known to be wrong"):
        measure_hints(run, samples, gather_people(samples, Labels(samples).read()), 1)
