import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from deliberant.micro.corpus import corpus
from deliberant.micro.pretrain import (
    FULL_MIX,
    SCHEDULE,
    Plan,
    batches,
    build_model,
    padded,
    pretrain,
    rate,
    tensors,
    token_loss,
    tokenise,
)
from deliberant.micro.tokenizer import build_tokenizer
from deliberant.models.local.sampler import LocalSampler
from deliberant.models.types import Request, Sampling

TINY = Plan(hidden=32, layers=1, heads=2, feed_forward=64, tokens=100_000, batch_tokens=2048)
LONGER = replace(TINY, tokens=300_000)


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
    assert after < 0.7 * before and reports[-1]["tokens"] > 0.9 * LONGER.tokens
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
        assert len({padded(len(row.ids)) for row in batch}) == 1


def test_learning_rate_warms_up_holds_and_falls_to_zero() -> None:
    copying, polish = SCHEDULE[0][0], SCHEDULE[-2][0]
    assert rate(0.0) < 0.1
    assert rate(copying / 2) == 1.0
    assert [rate(done) for done in (copying, (polish + copying) / 2)] == pytest.approx([0.35, 0.175])
    assert [rate(done) for done in (polish, (1 + polish) / 2, 1.0)] == pytest.approx([0.1, 0.05, 0.0])
