from pathlib import Path

import anyio
import pytest
from inspect_ai.model import ContentReasoning, ContentText, ModelOutput, ModelUsage, get_model

from deliberant.evals import registry
from deliberant.evals.provider import DeliberantAPI, model_output, read_parts
from deliberant.models.formats import Parts
from deliberant.util.errors import UserError
from tests.completions import completed


def output(text: str, stop: str = "stop", opened: bool = False) -> ModelOutput:
    return model_output("m", completed(text, stop, opened=opened, ids=(1, 2, 3), read=5))


def test_reasoning_and_answer_travel_apart() -> None:
    made = output("<think>hm [W1]</think>no.")
    content = made.message.content
    assert isinstance(content[0], ContentReasoning)
    assert isinstance(content[1], ContentText)
    assert (content[0].reasoning, content[1].text, made.completion) == ("hm [W1]", "no.", "no.")
    assert made.usage == ModelUsage(input_tokens=5, output_tokens=3, total_tokens=8)


@pytest.mark.parametrize("text", ["<think>CANARY", "CANARY", "<think>CANARY</think>a<think>b</think>c"])
def test_an_unclean_completion_has_no_answer(text: str) -> None:
    made = output(text, "length")
    assert made.completion == ""
    assert made.stop_reason == "max_tokens"
    assert read_parts(made).complete is False
    assert "CANARY" in read_parts(made).reasoning


def test_a_prefilled_tag_is_the_samplers_habit() -> None:
    assert read_parts(output("hm</think>yes.", opened=True)) == Parts("hm", "yes.", True)
    assert read_parts(output("hm</think>yes.")).complete is False


def test_what_we_wrote_is_what_we_read() -> None:
    for text in ("<think></think>yes", "<think>a</think>", "<think>a\n\nb</think> c "):
        parts = read_parts(output(text))
        assert parts.complete
        assert (parts.reasoning, parts.answer) == (
            text[7:].split("</think>")[0].strip(),
            text.split("</think>")[1].strip(),
        )


def test_other_providers_are_split_too() -> None:
    plain = ModelOutput.from_content("m", "sure.")
    assert read_parts(plain) == Parts("", "sure.", True)
    assert read_parts(ModelOutput.from_content("m", "<think>hm</think>sure.")) == Parts("hm", "sure.", True)
    assert read_parts(ModelOutput.from_content("m", "hm</think>sure.")).answer == ""
    assert read_parts(ModelOutput.from_content("m", "su", stop_reason="max_tokens")) == Parts("", "", False)
    apart = ModelOutput.from_content("m", [ContentReasoning(reasoning="hm"), ContentText(text="sure.")])
    assert read_parts(apart) == Parts("hm", "sure.", True)


def test_a_checkpoint_answers_by_its_path_the_same_each_time(tiny_model: Path) -> None:
    assert registry.deliberant is not None
    model = get_model(f"deliberant/{tiny_model}", memoize=False)
    assert isinstance(model.api, DeliberantAPI)

    async def ask() -> list[ModelOutput]:
        from inspect_ai.model import GenerateConfig

        return [await model.generate("hi", config=GenerateConfig(max_tokens=8)) for _ in range(2)]

    first, second = anyio.run(ask)
    assert first.usage is not None
    assert first.usage.output_tokens == 8
    assert read_parts(first) == read_parts(second)


def test_a_model_that_is_only_looked_at_is_not_loaded() -> None:
    api = DeliberantAPI("no/such/folder")
    assert api.max_connections() > 100
    with pytest.raises(UserError, match="no/such/folder"):
        _ = api.batcher
