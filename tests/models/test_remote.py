"""A real llama.cpp server, spoken to through Inspect's providers."""

import asyncio
import multiprocessing
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deliberant.models.budget import Budget
from deliberant.models.cache import Calls, Reply
from deliberant.models.refs import parse_reference
from deliberant.models.remote import RemoteSampler
from deliberant.models.types import Completion, Reasoning, Request, Sampling, Usage
from deliberant.util.errors import RunError, UserError
from tests.server import NAME, Proxy, drawn_tokens, free_port, running

SHORT = Sampling(temperature=1.0, max_new_tokens=12)


def requests(n: int, schema: dict[str, Any] | None = None) -> list[Request]:
    return [Request(({"role": "user", "content": f"Question {seed % 3}"},), seed, schema) for seed in range(n)]


def sampler(
    url: str, reasoning: Reasoning = "off", strict: bool = False, folder: Path | None = None, **more: object
) -> RemoteSampler:
    reference = parse_reference(f"vllm:{url}#{NAME}")
    return RemoteSampler(reference, "day", reasoning, strict, calls=Calls(folder), **more)  # type: ignore[arg-type]


def test_seeds_are_kept_to_and_tokens_counted(llama: str) -> None:
    before = drawn_tokens(llama)
    first = sampler(f"{llama}/v1").sample(requests(6), SHORT)
    again = sampler(f"{llama}/v1").sample(list(reversed(requests(6))), SHORT)
    assert [each.text for each in reversed(again)] == [each.text for each in first]
    assert len({each.text for each in first}) == 6
    assert drawn_tokens(llama) - before == sum(each.usage.output for each in [*first, *again])
    assert all(each.usage.input > each.usage.cached >= 0 and each.complete for each in first)
    assert all(each.stop == ("length" if each.usage.output == 12 else "stop") for each in first)


def test_what_is_kept_is_not_asked_again(llama: str, tmp_path: Path) -> None:
    with Proxy(llama) as proxy:
        drawn = sampler(proxy.url, folder=tmp_path).sample([*requests(5), *requests(5)], SHORT)
        assert drawn[:5] == drawn[5:]
        assert len(proxy.forwarded) == 5
        more = sampler(proxy.url, folder=tmp_path).sample(requests(7), SHORT)
        assert more[:5] == drawn[:5]
        assert len(proxy.forwarded) == 7
    assert sampler(proxy.url, folder=tmp_path).sample(requests(7), SHORT) == more, "nothing listens there any more"
    with pytest.raises(RunError, match="nobody answers"):
        sampler(proxy.url, folder=tmp_path, retries=0).sample(requests(7), Sampling(0.5, max_new_tokens=12))


def test_sampling_goes_to_the_server_as_it_is_meant(llama: str) -> None:
    with Proxy(llama) as proxy:
        sampler(proxy.url).sample(requests(1), SHORT)
    [body] = proxy.forwarded
    assert (body["temperature"], body["top_p"], body["top_k"], body["min_p"]) == (1.0, 1.0, 0, 0.0)
    assert (body["seed"], body["max_tokens"], body["model"]) == (0, 12, NAME)


def test_a_schema_is_kept_to(llama: str) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    with Proxy(llama) as proxy:
        [drawn] = sampler(proxy.url).sample(requests(1, schema), Sampling(max_new_tokens=40))
    assert proxy.forwarded[0]["response_format"]["json_schema"]["schema"]["required"] == ["ok"]
    assert drawn.answer.startswith("{")


def test_prompted_reasoning_is_opened_closed_and_answered(llama: str) -> None:
    sampling = Sampling(max_new_tokens=30, max_reasoning_tokens=10)
    with Proxy(llama) as proxy:
        drawn = sampler(proxy.url, "prompted", strict=True).sample(requests(4), sampling)
    opening = [body for body in proxy.forwarded if body["messages"][-1]["content"] == "<think>\n"]
    assert [body["max_tokens"] for body in opening] == [10] * 4
    closed = [body["messages"][-1]["content"] for body in proxy.forwarded if body not in opening]
    assert closed, "no reasoning reached its budget: the test shows nothing"
    assert all(text.startswith("<think>\n") and "</think>" in text for text in closed)
    assert any(text.endswith("\n</think>\n\n") for text in closed)
    forced = [each for each in drawn if each.usage.output > 10]
    assert forced
    assert any(each.complete and each.reasoning for each in forced), (
        "a stray tag voids some of a random model's answers"
    )
    assert not any(each.text.startswith("<think>\n") for each in drawn), "llama.cpp repeats what was sent"
    assert all(each.usage.output <= 30 for each in drawn)


def test_a_thought_that_is_given_is_sent_closed_and_gone_on_from(llama: str) -> None:
    given = [Request(each.messages, each.seed, thought="no. [F1]") for each in requests(3)]
    sampling = Sampling(max_new_tokens=8, max_reasoning_tokens=2)
    for reasoning in ("native", "prompted"):
        with Proxy(llama) as proxy:
            drawn = sampler(proxy.url, reasoning, strict=True).sample(given, sampling)
        sent = [body["messages"][-1] for body in proxy.forwarded]
        assert sent == [{"role": "assistant", "content": "<think>\nno. [F1]\n</think>\n\n"}] * 3
        assert all(body["continue_final_message"] and body["max_tokens"] == 8 for body in proxy.forwarded)
        assert all(each.reasoning == "no. [F1]" for each in drawn if each.complete)
        assert any(each.complete for each in drawn)


def test_a_provider_that_does_not_go_on_from_a_turn_is_given_no_thought(
    llama: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    with Proxy(llama) as proxy:
        forward = proxy.forward

        def unknown(path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
            status, reply = forward(path, body, headers)
            rows = json.loads(reply)["data"] if "models" in path else []
            return status, json.dumps({"data": [{**row, "owned_by": "?"} for row in rows]}).encode() if rows else reply

        monkeypatch.setattr(proxy, "forward", unknown)
        with pytest.raises(UserError, match="does not go on from an unfinished turn"):
            sampler(proxy.url).sample([Request(requests(1)[0].messages, 0, thought="no")], SHORT)
    assert proxy.forwarded == []


def test_tags_are_split_by_our_rule_and_not_by_inspects(llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspect cuts the first block out wherever it stands, and shows all of a text that is nothing else."""
    hidden, nothing = "said <think>secret</think> and more", "<think>secret</think>"
    for text, complete in ((hidden, False), (nothing, True)):
        with Proxy(llama) as proxy:
            monkeypatch.setattr(proxy, "forward", spoken(text, proxy.forward))
            [drawn] = sampler(proxy.url, "native", strict=True).sample(requests(1), SHORT)
        assert (drawn.text, drawn.answer, drawn.complete) == (text, "", complete)


def spoken(text: str, forward: object) -> object:
    import json

    def say(path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        status, reply = forward(path, body, headers)  # type: ignore[operator]
        whole = json.loads(reply)
        if body:
            whole["choices"][0]["message"]["content"] = text
        return status, json.dumps(whole).encode()

    return say


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply("yes", "because", "stop", Usage(1, 2)), ("because", "yes", True)),
        (Reply("yes", "", "stop", Usage(1, 2)), ("", "yes", True)),
        (Reply("", "because it", "length", Usage(1, 2)), ("because it", "", False)),
        (Reply("", None, "blocked", Usage(0, 0)), ("", "", False)),
        (Reply("", None, "stop", Usage(1, 0)), ("", "", False)),
    ],
)
def test_reasoning_that_comes_apart(reply: Reply, expected: tuple[str, str, bool], tmp_path: Path) -> None:
    model = sampler("http://127.0.0.1:1/v1", "native", strict=True, folder=tmp_path)
    [request] = requests(1)
    model.calls.add(model._key(next(model._steps(request, SHORT)), SHORT), "m", reply)
    [drawn] = model.sample([request], SHORT)
    assert (drawn.reasoning, drawn.answer, drawn.complete) == expected
    assert drawn.stop == reply.stop


@pytest.mark.parametrize("provider", ["openai-api/local", "openai", "anthropic"])
def test_other_providers(llama: str, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL", "OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_API_KEY", "key")
        monkeypatch.setenv(f"{name}_BASE_URL", llama if name == "ANTHROPIC" else f"{llama}/v1")
    reference = parse_reference(f"api:{provider}/{NAME}")
    drawn = RemoteSampler(reference, "day", "off", False).sample(requests(3), SHORT)
    assert len(drawn) == 3
    assert all(0 < each.usage.output <= 12 and each.complete for each in drawn)


def test_a_budget_stops_and_the_same_command_resumes(llama: str, tmp_path: Path) -> None:
    with Proxy(llama) as proxy:
        with pytest.raises(RunError, match=r"budget of 4 requests is reached"):
            sampler(proxy.url, folder=tmp_path, budget=Budget(requests=4), connections=3).sample(requests(9), SHORT)
        assert len(proxy.forwarded) == 4 == len(Calls(tmp_path))
        with pytest.raises(RunError, match=r"budget of 4 requests is reached"):
            sampler(proxy.url, folder=tmp_path, budget=Budget(requests=4)).sample(requests(9), SHORT)
        assert len(proxy.forwarded) == 4
        assert len(sampler(proxy.url, folder=tmp_path, budget=Budget(requests=9)).sample(requests(9), SHORT)) == 9
        assert len(proxy.forwarded) == 9


def test_dollars_need_a_price() -> None:
    reference = parse_reference("api:openai-api/local/x")
    with pytest.raises(UserError, match=r"no price for 'openai-api/local/x'"):
        RemoteSampler(reference, "day", "off", False, budget=Budget(dollars=1.0))


def test_within_a_running_loop(llama: str) -> None:
    async def notebook() -> list[Completion]:
        return sampler(f"{llama}/v1").sample(requests(2), SHORT)

    assert asyncio.run(notebook()) == sampler(f"{llama}/v1").sample(requests(2), SHORT)


# ---- mistakes: one line each, and no waiting


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set in the environment"):
        RemoteSampler(parse_reference("api:openai/gpt-5"), "day", "off", False).sample(requests(1), SHORT)


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mistralai", None)
    with pytest.raises(UserError, match="pip install mistralai"):
        RemoteSampler(parse_reference("api:mistral/x"), "day", "off", False).sample(requests(1), SHORT)


def test_wrong_key_and_a_key_in_no_file(gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(gguf, key="sk-planted-7f3a") as address:
        monkeypatch.setenv("VLLM_API_KEY", "sk-wrong")
        with pytest.raises(UserError, match=r"refuses the key in VLLM_API_KEY") as error:
            sampler(f"{address}/v1", folder=tmp_path).sample(requests(1), SHORT)
        assert "sk-wrong" not in str(error.value)
        monkeypatch.setenv("VLLM_API_KEY", "sk-planted-7f3a")
        assert sampler(f"{address}/v1", folder=tmp_path).sample(requests(3), SHORT)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any(b"planted" in path.read_bytes() for path in files)


def test_wrong_model_names_what_is_there(llama: str) -> None:
    with pytest.raises(UserError, match=rf"the server has no 'tinny'; did you mean '{NAME}'\?"):
        RemoteSampler(parse_reference(f"vllm:{llama}/v1#tinny"), "day", "off", False).sample(requests(1), SHORT)
    assert RemoteSampler(parse_reference(f"vllm:{llama}/v1"), "day", "off", False).sample(requests(1), SHORT)


def test_nobody_answers() -> None:
    with pytest.raises(RunError, match=r"nobody answers at http://127\.0\.0\.1:\d+/v1"):
        sampler(f"http://127.0.0.1:{free_port()}/v1").sample(requests(20), SHORT)


@pytest.mark.parametrize("kind", ["html", "no choices", "empty"])
@pytest.mark.usefixtures("hasty")
def test_half_the_protocol(llama: str, kind: str) -> None:
    with Proxy(llama, lambda n: kind) as proxy, pytest.raises(RunError) as error:  # type: ignore[arg-type,return-value]
        sampler(proxy.url).sample(requests(5), SHORT)
    assert "what answers is not a model server" in str(error.value)
    assert "\n" not in str(error.value)
    assert proxy.asked < 10


@pytest.mark.usefixtures("hasty")
def test_one_fifth_of_everything_fails_and_nothing_is_lost_or_twice(llama: str, tmp_path: Path) -> None:
    faults = ("429", "500", "hang", "cut", "empty")
    before = drawn_tokens(llama)
    with Proxy(llama, lambda n: faults[n // 5 % 5] if n % 5 == 3 else None) as proxy:  # type: ignore[arg-type,return-value]
        model = sampler(proxy.url, folder=tmp_path, timeout=1, connections=4)
        drawn = model.sample(requests(60), SHORT)
    assert [each.text for each in drawn] == [each.text for each in sampler(f"{llama}/v1").sample(requests(60), SHORT)]
    assert len(Calls(tmp_path)) == 60 == model.calls.account.requests[f"{proxy.url}#{NAME}"]
    asked = [body["seed"] for body in proxy.forwarded]
    cut = len(asked) - 60
    assert {*asked} == {*range(60)}
    assert 0 < cut <= 60 // 25 + 2, "only a reply that was cut on its way is drawn again"
    assert before < drawn_tokens(llama)


@pytest.mark.usefixtures("hasty")
def test_a_blank_answer_is_data(llama: str) -> None:
    with Proxy(llama, lambda n: "blank") as proxy:
        drawn = sampler(proxy.url).sample(requests(2), SHORT)
    assert [(each.answer, each.complete) for each in drawn] == [("", True)] * 2
    assert len(proxy.forwarded) == 2


# ---- killed, interrupted

SCRIPT = """
import sys
from collections.abc import Callable
from pathlib import Path
from deliberant.models.cache import Calls
from tests.models.test_remote import SHORT, requests, sampler

try:
    for each in sampler(sys.argv[1], folder=Path(sys.argv[2]), connections=3).sample(requests(30), SHORT):
        print(repr(each.text))
except KeyboardInterrupt:
    print("interrupted")
"""


def start(url: str, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), url, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def in_a_loop_of_its_own(work: Callable[..., object], *arguments: object) -> None:
    """In a fork: a loop that was there before has a thread for look-ups, which a fork does not have."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    work(*arguments)


def test_killed_at_five_points_the_rows_are_the_same_and_no_kept_call_is_made_again(llama: str, tmp_path: Path) -> None:
    expected = sampler(f"{llama}/v1").sample(requests(30), SHORT)
    fork = multiprocessing.get_context("fork")  # has what was imported just now
    with Proxy(llama, delay=0.05) as proxy:
        for point in (1, 7, 12, 20, 29):
            model = sampler(proxy.url, folder=tmp_path, connections=3)
            kept = {each.seed for each in requests(30) if model._kept(each, SHORT)}
            before = len(proxy.forwarded)
            process = fork.Process(target=in_a_loop_of_its_own, args=(model.sample, requests(30), SHORT))
            process.start()
            while len(proxy.forwarded) < point:
                assert process.is_alive()
                time.sleep(0.005)
            process.kill()
            process.join()
            assert not kept & {body["seed"] for body in proxy.forwarded[before:]}
        drawn = sampler(proxy.url, folder=tmp_path).sample(requests(30), SHORT)
    assert len(Calls(tmp_path)) == 30
    assert len(proxy.forwarded) <= 30 + 5 * 3, "only what was on its way is asked for again"
    assert [each.text for each in drawn] == [each.text for each in expected]


@pytest.mark.slow
def test_interrupted_it_ends_soon_and_keeps_what_was_finished(llama: str, tmp_path: Path) -> None:
    with Proxy(llama, lambda n: "hang" if n >= 6 else None) as proxy:
        process = start(proxy.url, tmp_path)
        while proxy.asked < 9:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=120)
    assert (said, errors) == ("interrupted\n", "")
    assert len(Calls(tmp_path)) == 6
