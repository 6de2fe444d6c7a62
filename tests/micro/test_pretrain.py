import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from deliberant.cli.micro import micro_app
from deliberant.micro import MODEL_DIR
from deliberant.micro.batches import batches, pad_width, tensors, tokenise
from deliberant.micro.corpus import corpus
from deliberant.micro.pretrain import (
    CONTINUED_TOKENS,
    FULL_MIX,
    SCHEDULE,
    Plan,
    build_model,
    pretrain,
    rate,
    token_loss,
)
from deliberant.micro.tokenizer import build_tokenizer
from deliberant.models.local.sampler import LocalSampler
from deliberant.models.types import Request, Sampling
from deliberant.util.errors import UserError

pytestmark = pytest.mark.numbers

TINY = Plan(hidden=32, layers=1, heads=2, feed_forward=64, tokens=40_000, batch_tokens=2048)
LONGER = replace(TINY, tokens=80_000)


def test_pretraining_learns_and_saves_a_checkpoint_that_samples(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reports: list[dict[str, Any]] = []
    pretrain(tmp_path, LONGER, reports.append, measure_steps=10**9, report_steps=5)
    assert capfd.readouterr() == ("", ""), "library code never prints"
    tokenizer = build_tokenizer()
    rows = corpus(random.Random(9), FULL_MIX)
    batch = tensors([tokenise(tokenizer, next(rows)) for _ in range(8)], 0)
    before = token_loss(build_model(LONGER, len(tokenizer), 0, 1), *batch)[0]
    after = token_loss(AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32), *batch)[0]
    assert after < before - 0.3 and reports[-1]["tokens"] > 0.9 * LONGER.tokens
    sampler = LocalSampler.load(tmp_path)
    request = Request(({"role": "user", "content": "how do i cook rice?"},), 0)
    [completion] = sampler.sample([request], Sampling(0.0, 1.0, 8))
    assert completion.token_ids


def test_an_interrupted_pretraining_resumes(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(report: dict[str, Any]) -> None:
        raise Stop

    with pytest.raises(Stop):
        pretrain(tmp_path, TINY, stop, report_steps=5)
    steps: list[int] = []
    pretrain(tmp_path, TINY, lambda report: steps.append(report["step"]), measure_steps=10**9, report_steps=5)
    assert steps[0] == 10, "it went on after the five steps that were done"
    assert AutoModelForCausalLM.from_pretrained(tmp_path).config.hidden_size == 32


def test_training_goes_on_from_a_build_and_resumes(tmp_path: Path, tiny_llama: Path) -> None:
    start, out = tmp_path / "start", tmp_path / "out"
    build_model(TINY, len(build_tokenizer()), 0, 1).save_pretrained(start)
    plan = replace(Plan(tokens=TINY.tokens, batch_tokens=2048, rate=0.0), start=start)
    reports: list[dict[str, Any]] = []

    def stop(report: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(out, plan, stop, report_steps=5)
    pretrain(out, plan, reports.append, measure_steps=10**9, report_steps=5)
    assert reports[0]["step"] == 10, "it went on after the five steps that were done"
    old, new = (AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16) for folder in (start, out))
    assert new.config.hidden_size == TINY.hidden, "the shape is that of the build, not the plan's"
    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True)), "a rate of 0"
    moved = tmp_path / "moved"
    pretrain(moved, replace(plan, rate=0.5), reports.append, measure_steps=10**9)
    new = AutoModelForCausalLM.from_pretrained(moved, dtype=torch.bfloat16)
    assert not all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))


def test_a_model_of_another_vocabulary_is_no_build(tmp_path: Path, tiny_llama: Path) -> None:
    with pytest.raises(UserError, match="tokens where the built-in base has 54"):
        pretrain(tmp_path, replace(TINY, start=tiny_llama), lambda report: None)


def test_going_on_reads_the_last_mix_at_a_rate_that_falls_to_zero(tmp_path: Path) -> None:
    plan = replace(TINY, start=tmp_path, rate=0.08)
    assert plan.schedule == SCHEDULE[-1:] and TINY.schedule == SCHEDULE
    assert [plan.factor(done) for done in (0.0, 0.5, 1.0, 1.01)] == pytest.approx([0.08, 0.04, 0.0, 0.0])
    assert TINY.factor(SCHEDULE[0][0] / 2) == 1.0


def test_padding_changes_no_loss() -> None:
    tokenizer = build_tokenizer()
    rows = corpus(random.Random(0), FULL_MIX)
    batch = [tokenise(tokenizer, next(rows)) for _ in range(4)]
    model = build_model(TINY, len(tokenizer), 0, 1)
    together, _, _ = token_loss(model, *tensors(batch, 0))
    one_by_one = [token_loss(model, *tensors([row], 0))[0] for row in batch]
    weights = torch.tensor([float(sum(row.loss)) for row in batch])
    expected = (torch.stack(one_by_one) * weights).sum() / weights.sum()
    assert torch.allclose(together, expected, atol=1e-4)


def test_batches_hold_rows_of_one_width() -> None:
    tokenizer = build_tokenizer()
    rows = (tokenise(tokenizer, row) for row in corpus(random.Random(0), FULL_MIX))
    for _, batch in zip(range(10), batches(rows, 2048), strict=False):
        assert len({pad_width(len(row.ids)) for row in batch}) == 1


def test_learning_rate_warms_up_holds_and_falls_to_zero() -> None:
    copying, polish = SCHEDULE[0][0], SCHEDULE[-2][0]
    assert rate(0.0) < 0.1
    assert rate(copying / 2) == 1.0
    assert [rate(done) for done in (copying, (polish + copying) / 2)] == pytest.approx([0.35, 0.175])
    assert [rate(done) for done in (polish, (1 + polish) / 2, 1.0)] == pytest.approx([0.1, 0.05, 0.0])


def test_the_command_goes_on_from_a_build_or_the_shipped_one(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Plan] = []
    monkeypatch.setattr("deliberant.micro.pretrain.pretrain", lambda out, plan, report: plans.append(plan))
    for arguments in ("--from micro", "--from build --tokens 9000 --rate 0.1 --seed 3"):
        assert CliRunner().invoke(micro_app, ["pretrain", "--out", "new", *arguments.split()]).exit_code == 0
    assert plans == [
        Plan(tokens=CONTINUED_TOKENS, start=MODEL_DIR),
        Plan(tokens=9000, start=Path("build"), rate=0.1, seed=3),
    ]
    refused = CliRunner().invoke(micro_app, ["pretrain", "--out", "new", "--rate", "0.1"])
    assert isinstance(refused.exception, UserError) and "--rate goes with --from" in str(refused.exception)
