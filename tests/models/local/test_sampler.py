import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from deliberant.models import Parts, Reasoning, Request, Role, Sampling, Usage
from deliberant.models.local import sampler as local
from deliberant.models.local.decoder import Decoder
from deliberant.models.local.draw import uniforms
from deliberant.models.local.generic import Generic
from deliberant.models.local.sampler import LocalSampler
from deliberant.prompts.types import Message
from deliberant.training.trainers import trainable
from deliberant.util.errors import UserError
from tests.tiny import Architecture, make_tiny_model

GREEDY = Sampling(temperature=0, max_new_tokens=24)
WARM_12 = Sampling(temperature=1.0, max_new_tokens=12)
WARM = Sampling(max_new_tokens=24)
HELLO: tuple[Message, ...] = ({"role": "user", "content": "hé"},)


@pytest.fixture(scope="module", params=["llama", "qwen2", "qwen3", "gpt2"])
def sampler(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LocalSampler:
    return LocalSampler.load(make_tiny_model(tmp_path_factory.mktemp(request.param), request.param))


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Uninitialised memory reads as NaN, so that a result that depends on it cannot pass by luck."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def workload(seed: int = 0) -> list[list[int]]:
    """Prompts of 1 to 340 tokens in three prefix families, several of them repeated."""
    rng = random.Random(seed)
    stem = [rng.randrange(256) for _ in range(300)]
    rows = []
    for number in range(9):
        own = [rng.randrange(256) for _ in range(rng.choice([1, 2, 9, 40]))]
        rows += [stem[: (0, 150, 300)[number % 3]] + own] * rng.choice([1, 3, 8])
    return rows


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_log_probabilities_are_those_of_transformers(sampler: LocalSampler, temperature: float) -> None:
    prompt, completion = [72, 101, 108], [111, 10, 87, 111]
    found = sampler.log_probs(prompt, completion, temperature)
    with torch.inference_mode():
        logits = sampler.model(torch.tensor([[*prompt, *completion]])).logits[0, len(prompt) - 1 : -1].float()
    wanted = (logits / temperature).log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0]
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)


def check_drawn(
    sampler: LocalSampler, prompts: list[list[int]], seeds: Sequence[int], drawn: list[Any], sampling: Sampling
) -> None:
    """Each token is the one that its seed's number picks from transformers' own distribution, give or take rounding."""
    for prompt, seed, (ids, stop) in zip(prompts, seeds, drawn, strict=True):
        with torch.inference_mode():
            logits = sampler.model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1].double()
        chosen = torch.tensor(ids)[:, None]
        if sampling.temperature == 0:
            assert (logits.amax(-1) - logits.gather(1, chosen)[:, 0]).max() < 1e-3
        else:
            shares = (logits / sampling.temperature).softmax(-1)
            above = shares.cumsum(-1).gather(1, chosen)[:, 0]
            below = above - shares.gather(1, chosen)[:, 0]
            number = uniforms([seed], sampling.max_new_tokens)[0, : len(ids)]
            assert ((below - 1e-4 < number) & (number < above + 1e-4)).all()
        end = sampler.tokenizer.eos_token_id
        assert end not in ids[:-1]
        assert (ids[-1] == end) if stop == "stop" else (len(ids) == sampling.max_new_tokens)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_tokens_are_what_the_seed_picks_from_the_model(sampler: LocalSampler, sampling: Sampling) -> None:
    prompts = workload()
    drawn = sampler.sample_ids(prompts, range(len(prompts)), sampling)
    check_drawn(sampler, prompts, range(len(prompts)), drawn, sampling)
    assert drawn == sampler.sample_ids(prompts, range(len(prompts)), sampling)
    assert len(set(drawn)) > 5


def test_the_fast_path_is_taken_where_it_is_exact(sampler: LocalSampler) -> None:
    fast = sampler.model.config.model_type in ("llama", "qwen2", "qwen3")
    assert type(sampler._engine) is (Decoder if fast else Generic)


def test_randomness_hangs_on_the_seed_not_on_the_batch(sampler: LocalSampler, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts, seeds = workload(), range(100, 100 + len(workload()))
    check_drawn(sampler, prompts, seeds, sampler.sample_ids(prompts, seeds, WARM), WARM)
    back = sampler.sample_ids(prompts[::-1], seeds[::-1], WARM)
    check_drawn(sampler, prompts[::-1], seeds[::-1], back, WARM)
    monkeypatch.setattr(local, "BATCH_ROWS", 5)
    monkeypatch.setattr(sampler, "batch_tokens", 800)
    check_drawn(sampler, prompts, seeds, sampler.sample_ids(prompts, seeds, WARM), WARM)
    assert len(set(sampler.sample_ids([prompts[0]] * 8, range(8), WARM))) == 8


def test_ended_rows_leave_and_the_others_go_on(sampler: LocalSampler) -> None:
    prompts, sampling = [[1, 2, 3]] * 60, Sampling(temperature=1.5, max_new_tokens=200)
    drawn = sampler.sample_ids(prompts, range(60), sampling)
    assert {stop for _, stop in drawn} == {"stop", "length"}
    check_drawn(sampler, prompts, range(60), drawn, sampling)


def test_completions_are_raw_text_without_the_end_of_turn(sampler: LocalSampler) -> None:
    tokenizer = sampler.tokenizer
    ids = (*tokenizer.encode("<think>é\n</think> a  b ."), tokenizer.eos_token_id)
    assert sampler._decode(ids) == sampler._decode(ids[:-1]) == "<think>é\n</think> a  b ."
    requests = [Request(HELLO, seed) for seed in range(3)]
    completions = sampler.sample(requests, WARM)
    drawn = sampler.sample_ids([sampler.encode(HELLO)] * 3, range(3), WARM)
    assert [(c.token_ids, c.stop) for c in completions] == drawn
    assert {c.usage.input for c in completions} == {len(sampler.encode(HELLO))}


def test_a_conversation_is_encoded_in_the_chat_template(sampler: LocalSampler) -> None:
    assert sampler.tokenizer.decode(sampler.encode(HELLO)) == "<|im_start|>user\nhé<|im_end|>\n<|im_start|>assistant\n"
    assert not sampler.opened


def test_a_stream_ends_with_the_sample(sampler: LocalSampler) -> None:
    for seed in range(5):
        stream = list(sampler.stream(HELLO, WARM, seed))
        [drawn] = sampler.sample([Request(HELLO, seed)], WARM)
        assert stream[-1] == Parts(drawn.reasoning, drawn.answer, drawn.complete)
        assert len(stream) > 1


def test_an_abandoned_stream_leaves_no_trace(sampler: LocalSampler) -> None:
    sampler.model.train()
    stream = sampler.stream(HELLO, WARM, 0)
    next(stream)
    assert torch.zeros(1, requires_grad=True).exp().requires_grad
    del stream
    assert sampler.model.training
    sampler.model.eval()


def test_refresh_takes_up_new_weights(sampler: LocalSampler) -> None:
    weight = sampler.model.get_input_embeddings().weight
    prompts = workload()[:3]
    before = weight.detach().clone()
    with torch.no_grad():
        weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    sampler.refresh()
    try:
        drawn = sampler.sample_ids(prompts, range(3), GREEDY)
        check_drawn(sampler, prompts, range(3), drawn, GREEDY)
    finally:
        with torch.no_grad():
            weight.copy_(before)
        sampler.refresh()
    assert drawn != sampler.sample_ids(prompts, range(3), GREEDY)


def test_the_weights_are_held_once_on_the_fast_path(tiny_llama: Path, tiny_model: Path) -> None:
    fast, general = LocalSampler.load(tiny_llama), LocalSampler.load(tiny_model)
    assert fast._model == tiny_llama and general._model is general._engine.model  # type: ignore[union-attr]
    drawn = fast.sample_ids(workload()[:3], range(3), GREEDY)
    assert fast.model is fast.model and fast.model.config.model_type == "llama"
    fast.refresh()
    assert fast.sample_ids(workload()[:3], range(3), GREEDY) == drawn


@pytest.mark.parametrize("native", [False, True])
def test_bf16_is_multiplied_only_where_the_hardware_does(
    tmp_path: Path, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "multiplies_bf16", lambda: native)
    folders: dict[Architecture, Path] = {each: make_tiny_model(tmp_path / each, each) for each in ("llama", "gpt2")}
    for folder in folders.values():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        model.save_pretrained(folder)
    wanted = torch.bfloat16 if native else torch.float32
    assert LocalSampler.load(folders["gpt2"]).model.dtype == wanted
    assert LocalSampler.load(folders["llama"]).dtype == torch.float32
    monkeypatch.setattr(local, "LARGE", 1)
    large = LocalSampler.load(folders["llama"])
    assert large.dtype == wanted
    assert large.model.dtype == torch.bfloat16  # what trains is what was saved


def test_a_prompt_that_does_not_fit_is_an_error_not_a_cut(sampler: LocalSampler) -> None:
    with pytest.raises(UserError, match="prompt 2 of 2: 4090 tokens and 24 new ones are 18 over the model's 4096"):
        sampler.sample_ids([[1], [1] * 4090], [0, 1], WARM)


def test_identity_follows_every_file_that_shapes_a_sample(tiny_model: Path, tmp_path: Path) -> None:
    identities = {LocalSampler.load(tiny_model).identity}
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        copy = shutil.copytree(tiny_model, tmp_path / name)
        assert LocalSampler.load(copy).identity in identities
        data = bytearray((copy / name).read_bytes())
        data[-1:] = b"\x01" if name == "model.safetensors" else bytes(data[-1:]) + b"\n"
        (copy / name).write_bytes(data)
        identities.add(LocalSampler.load(copy).identity)
    assert len(identities) == 4


def test_user_mistakes_name_the_remedy(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        LocalSampler.load(tmp_path)
    with pytest.raises(UserError, match="is not a folder here, and the Hub did not give it"):
        LocalSampler.load(tmp_path / "none")
    copy = shutil.copytree(tiny_model, tmp_path / "copy")
    (copy / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match=r"no chat template; add chat_template.jinja"):
        LocalSampler.load(copy)


@pytest.mark.parametrize("reasoning", ["native", "prompted"])
def test_a_budget_closes_the_reasoning_and_the_answer_is_drawn(sampler: LocalSampler, reasoning: Reasoning) -> None:
    role = sampler.as_role("base", reasoning)
    requests = [Request(HELLO, seed) for seed in range(6)]
    bounded = Sampling(temperature=1.0, max_new_tokens=30, max_reasoning_tokens=10)
    closing = len(sampler.tokenizer.encode(role.format.closing, add_special_tokens=False))
    for drawn in role.sample(requests, bounded):
        assert role.format.close in drawn.text
        assert len(drawn.token_ids) <= 30 + closing


def test_prompted_reasoning_is_opened_in_the_prompt_and_in_the_template_of_what_is_trained(
    sampler: LocalSampler,
) -> None:
    role = sampler.as_role("base", "prompted")
    assert sampler.tokenizer.decode(role.encode(HELLO)).endswith("<|im_start|>assistant\n<think>\n")
    assert not sampler.opened
    model, tokenizer = trainable(role, embeddings=True, lora=None, seed=0)
    trained = LocalSampler(model, tokenizer, identity="trained")
    assert trained.opened and trained.encode(HELLO) == role.encode(HELLO)
    assert trained.format is role.format


@pytest.mark.parametrize(
    ("role", "reasoning", "answers"), [("base", "native", 0), ("base", "off", 6), ("filter", "off", 6)]
)
def test_text_without_a_block_answers_by_role(
    sampler: LocalSampler, role: Role, reasoning: Reasoning, answers: int
) -> None:
    drawn = sampler.as_role(role, reasoning).sample([Request(HELLO, seed) for seed in range(6)], GREEDY)
    assert sum(each.complete for each in drawn) == answers


@pytest.mark.parametrize("reasoning", ["native", "prompted", "off"])
def test_a_thought_that_is_given_is_closed_and_the_answer_drawn(sampler: LocalSampler, reasoning: Reasoning) -> None:
    asked = sampler.as_role("base", reasoning)
    requests = [Request(HELLO, seed, thought="no. [F1]") for seed in range(3)]
    budget = Sampling(temperature=1.0, max_new_tokens=12, max_reasoning_tokens=4)
    behind = [*sampler.encode(HELLO), *sampler.tokenizer.encode(asked.format.before_answer("no. [F1]"))]
    drawn = asked.sample(requests, budget)
    check_drawn(asked, [behind] * 3, range(3), [(each.token_ids, each.stop) for each in drawn], WARM_12)
    assert all(each.usage == Usage(len(behind), len(each.token_ids)) for each in drawn)
    assert all(each.text.startswith(asked.format.before_answer("no. [F1]")) for each in drawn)
    for each in drawn:
        if each.complete:  # a stray tag voids some of a random model's answers
            assert each.reasoning == "no. [F1]"
    assert asked.sample([Request(HELLO, 0, thought="")], budget)[0].usage.input < len(behind)
