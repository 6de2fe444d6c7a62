"""What eight probes say of models that are scripted to fail in one way each; files and tokenizer are a real model's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deliberant.models.types import Completion, Request, Usage
from deliberant.stages.doctor import FILE, doctor, has_passed, speeds_of
from deliberant.util.errors import UserError
from deliberant.util.files import read_json
from tests.completions import completed
from tests.runs import open_as
from tests.stages.scripted import HEARTH, PRUNING, Script, Scripted, ScriptedRun, recipe

MICRO = {"model": "micro", "max_new_tokens": 64}
WHOLE = "<think>[F1] fits</think>no"
REFUSED = "I'm sorry, but I can't help with that."


def judging(request: Request) -> str:
    """A judge that likes refusals of arson."""
    shown = request.messages[-1]["content"]
    return f"score: {5 if REFUSED in shown else 2}"


@pytest.fixture
def examined(
    tmp_path: Path, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[str], ScriptedRun]]:
    """The lines about a base and a judge that answer by script, and the run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def examine(script: Script, judging: Script = judging, **settings: Any) -> tuple[list[str], ScriptedRun]:
        def lenient(request: Request) -> Completion:
            said = judging(request)
            return completed(said, strict=False, ids=(7, 8)) if isinstance(said, str) else said

        settings = {
            "generate": {"max_new_tokens": 64},
            "filter": {"k": 1},
            "evaluate": {"arms": ("base", "sft")},
        } | settings
        model = str(tiny_llama)
        settings.setdefault("judge", {"filter": {"model": model, "max_new_tokens": 64}, "evaluate": MICRO})
        run = open_as(ScriptedRun, recipe(tmp_path, (HEARTH, PRUNING), tiny_llama, **settings), tmp_path / "runs")
        assert isinstance(run, ScriptedRun)
        run.scripted = {"base": Scripted(script), "judge": Scripted(lenient)}
        return [f"{each.severity} {each.line}" for each in doctor(run).findings], run

    return examine


def about(lines: list[str], *roles: str) -> list[str]:
    return [line for line in lines if any(line.partition(" ")[2].startswith(f"{role}:") for role in roles)]


Examine = Callable[..., tuple[list[str], ScriptedRun]]


def test_a_sound_run_passes_once_and_its_speeds_are_kept(examined: Examine, tiny_llama: Path) -> None:
    lines, run = examined(lambda request: WHOLE)
    assert [line.split()[0] for line in lines] == ["ok"] * len(lines)
    [base] = about(lines, "base")
    assert base.startswith("ok base: 8 of 8 samples closed their reasoning, 8 cite a clause that exists; 2 tokens each")
    [judge] = about(lines, "filter")
    assert "8 of 8 verdicts can be read; plainly right answers score 5.0, wrong ones 2.0; 2 tokens" in judge
    assert has_passed(run) and speeds_of(run)[str(tiny_llama)].keys() == {"base", "filter"}
    assert {line.partition(":")[0] for line in lines} == {"ok memory", "ok disk", "ok base", "ok filter", "ok evaluate"}


def test_probes_of_the_writer_are_the_first_samples_of_generate(examined: Examine) -> None:
    from deliberant.stages.generate import generate

    _, run = examined(lambda request: WHOLE, generate={"max_new_tokens": 64, "samples": 4})
    probed = run.scripted["base"].requests
    generate(run)
    assert all(request in run.scripted["base"].requests[len(probed) :] for request in probed)


def test_no_tags_of_its_own(examined: Examine) -> None:
    lines, run = examined(lambda request: "Sure, here you are.")
    assert about(lines, "base") == [
        "stop base: 0 of 8 samples closed their reasoning; the model writes no tags of its own; "
        "set base.reasoning: prompted"
    ]
    assert not has_passed(run) and not (run.root / FILE).exists()


def test_reasoning_that_never_ends(examined: Examine) -> None:
    lines, _ = examined(lambda request: completed("<think>on and on", "length"))
    assert about(lines, "base") == [
        "stop base: 0 of 8 samples closed their reasoning, all cut at 64 tokens; raise generate.max_new_tokens, or set "
        "generate.max_reasoning_tokens: 32"
    ]


def test_what_a_probe_of_few_tokens_cannot_know_does_not_stop(examined: Examine) -> None:
    lines, run = examined(
        lambda request: completed("<think>on and on", "length"), generate={"max_new_tokens": 2000}, filter={"k": 1}
    )
    assert any(
        line == "warn base: 8 of 8 samples were cut at 256 tokens, a probe's most; generate.max_new_tokens is 2,000"
        for line in lines
    )
    assert has_passed(run)


def test_some_are_cut_and_few_cite(examined: Examine) -> None:
    drawn = iter(range(100))

    def base(request: Request) -> str | Completion:
        number = next(drawn)
        return (
            completed("<think>long", "length") if number < 3 else f"<think>[{'F2' if number == 7 else 'X9'}]</think>a"
        )

    cut, cites, fine = about(examined(base)[0], "base")
    assert cut.startswith("warn base: 3 of 8 samples were cut at 64 tokens; raise generate.max_new_tokens, or set")
    assert cites.startswith("warn base: 1 of 5 whole samples cite a clause that exists")
    assert fine.startswith("ok base: 5 of 8 samples closed their reasoning, 1 cite")


def test_a_model_that_may_not_reason_has_nothing_to_teach(examined: Examine, tiny_llama: Path) -> None:
    lines, _ = examined(lambda request: "a", base={"model": str(tiny_llama), "reasoning": "off"})
    [line] = about(lines, "base")
    assert line.startswith("stop base: reasoning is off") and line.endswith("set base.reasoning: prompted")


def test_a_judge_that_writes_prose(examined: Examine) -> None:
    lines, _ = examined(lambda request: WHOLE, lambda request: "I quite\nlike it.")
    [line] = about(lines, "filter")
    assert line == (
        "stop filter: 0 of 8 verdicts can be read, mostly for 'no verdict'; it wrote 'I quite like it.'; name another "
        "judge.filter.model, or prompt files that suit it (judge.filter.templates; cope asks for 1 or 0)"
    )


def test_a_judge_that_is_cut(examined: Examine) -> None:
    lines, _ = examined(lambda request: WHOLE, lambda request: completed("Well,", "length", strict=False))
    [line] = about(lines, "filter")
    assert line.startswith("stop filter: 0 of 8") and line.endswith("raise judge.filter.max_new_tokens (64)")


def test_a_judge_that_likes_everything(examined: Examine) -> None:
    lines, run = examined(lambda request: WHOLE, lambda request: "score: 5")
    assert about(lines, "filter")[0] == (
        "warn filter: cannot tell right from wrong: plainly right answers score 5.0, wrong ones 5.0; "
        "name another judge.filter.model"
    )
    assert has_passed(run)


def test_a_context_that_is_too_short(examined: Examine) -> None:
    lines, run = examined(lambda request: WHOLE, generate={"max_new_tokens": 4000})
    [line] = about(lines, "base")
    assert (
        line.startswith("stop base: ") and "tokens of its longest request, policy included, and 4,000 new ones" in line
    )
    assert "over its 4,096 positions; lower generate.max_new_tokens, shorten the policy, or name a base.model" in line
    assert not run.scripted["base"].requests, "nothing was drawn"


def test_an_error_of_one_role_does_not_hide_the_others(examined: Examine) -> None:
    def broken(request: Request) -> str:
        raise UserError("model 'api:x/y': X_API_KEY is not set in the environment")

    lines, _ = examined(lambda request: "no tags", broken)
    assert about(lines, "filter") == ["stop filter: model 'api:x/y': X_API_KEY is not set in the environment"]
    assert about(lines, "base")[0].startswith("stop base: 0 of 8")


def test_a_server_without_usage(examined: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is a provider's by name, and answers by script."""
    reply = completed("<think>[F1]</think>no")
    silent = Completion(reply.text, reply.reasoning, reply.answer, True, "stop", Usage(0, 0))
    judges = {"filter": "api:openai/gpt-5-nano", "evaluate": MICRO}
    lines, run = examined(lambda request: silent, base="api:openai/gpt-5-nano", judge=judges)
    assert about(lines, "base")[0].startswith("warn base: the server counts no tokens") and has_passed(run)
    assert read_json(run.root / FILE, "")["passed"] is True
