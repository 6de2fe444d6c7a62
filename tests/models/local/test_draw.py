import pytest
import torch

from deliberant.models.local.draw import draw, uniforms
from deliberant.models.types import Sampling
from deliberant.util.errors import RunError

pytestmark = pytest.mark.numbers


def test_a_rows_stream_depends_on_its_seed_alone() -> None:
    several = uniforms([5, 6, 5], 20)
    assert torch.equal(several[0], several[2])
    assert not torch.equal(several[0], several[1])
    assert torch.equal(uniforms([6], 7)[0], several[1, :7])


def test_draws_follow_the_tempered_distribution() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -torch.inf]).expand(20_000, -1)
    uniform = uniforms([0], 20_000)[0]
    for temperature in (0.5, 1.0, 2.0):
        tokens = draw(logits, uniform, Sampling(temperature=temperature))
        shares = torch.bincount(tokens, minlength=4) / len(tokens)
        assert torch.allclose(shares, (logits[0] / temperature).softmax(-1), atol=0.012)


def test_temperature_zero_is_the_likeliest_token() -> None:
    assert draw(torch.tensor([[0.0, 3.0, 1.0]]), torch.tensor([0.99]), Sampling(temperature=0)).tolist() == [1]


def test_top_p_keeps_the_smallest_sufficient_set() -> None:
    logits = torch.tensor([0.1, 0.6, 0.3]).log().expand(2000, -1)
    uniform = uniforms([0], 2000)[0]
    assert set(draw(logits, uniform, Sampling(top_p=0.5)).tolist()) == {1}
    tokens = draw(logits, uniform, Sampling(top_p=0.7))
    assert set(tokens.tolist()) == {1, 2}
    assert abs((tokens == 1).float().mean() - 2 / 3) < 0.04


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_the_ends_of_the_uniform_range_never_pick_an_impossible_token(top_p: float) -> None:
    logits = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]] * 2)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert set(draw(logits, ends, Sampling(top_p=top_p)).tolist()) == {1, 2}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_diverged_model_stops_the_run(temperature: float) -> None:
    with pytest.raises(RunError, match="diverged"):
        draw(torch.tensor([[0.0, torch.nan]]), torch.tensor([0.5]), Sampling(temperature=temperature))


@pytest.mark.parametrize("top_p", [1.0, 0.3, 0.98])
def test_a_large_vocabulary_is_drawn_from_as_a_plain_sum_would(top_p: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(60, 5001, generator=generator) * torch.linspace(0, 5, 60)[:, None]
    uniform = uniforms([0], 60)[0]
    tokens = draw(logits, uniform, Sampling(top_p=top_p))
    for row in range(60):
        ranked, order = logits[row].double().softmax(-1).sort(descending=True)
        if top_p == 1:
            ranked, order = logits[row].double().softmax(-1), torch.arange(5001)
        kept = ranked.cumsum(0) - ranked < top_p
        share = torch.where(kept, ranked, 0).cumsum(0) / ranked[kept].sum()
        place = int((order == tokens[row]).nonzero())
        assert share[place] - ranked[place] / ranked[kept].sum() - 1e-4 < uniform[row] < share[place] + 1e-4


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_a_row_draws_the_same_whoever_is_beside_it(top_p: float) -> None:
    flat, steep = torch.zeros(1, 3000), torch.linspace(0, 900, 3000)[None]  # flat: the nucleus is wide, and all ties
    uniform = torch.tensor([0.4, 0.7], dtype=torch.float64)
    together = draw(torch.cat([flat, steep]), uniform, Sampling(top_p=top_p))
    alone = [draw(flat, uniform[:1], Sampling(top_p=top_p)), draw(steep, uniform[1:], Sampling(top_p=top_p))]
    assert together.tolist() == torch.cat(alone).tolist()
