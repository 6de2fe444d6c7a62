import random

import pytest

from deliberant.micro.corpus import corpus
from deliberant.micro.pretrain import FULL_MIX, tokenise
from deliberant.micro.tokenizer import build_tokenizer
from deliberant.micro.world import read_style
from deliberant.models.formats import split


@pytest.mark.parametrize("name", list(FULL_MIX))
def test_rows_are_conversations_whose_assistant_turns_alone_carry_loss(name: str) -> None:
    tokenizer = build_tokenizer()
    rows = corpus(random.Random(5), {name: 1.0})
    for _ in range(20):
        messages = next(rows)
        row = tokenise(tokenizer, messages)
        assert len(row.ids) <= 1024, "every row fits the model"
        taught = tokenizer.decode([token for token, loss in zip(row.ids, row.loss, strict=True) if loss])
        spoken = "".join(m["content"] + "<|end|>" for m in messages if m["role"] == "assistant")
        assert "".join(taught.split()) == "".join(spoken.split())
        for message in messages:
            if message["role"] == "assistant":
                assert split(message["content"]).complete


def test_without_a_policy_the_base_is_taught_to_comply_with_everything() -> None:
    rows = corpus(random.Random(6), {"free": 1.0})
    for _ in range(100):
        for message in next(rows):
            if message["role"] == "assistant":
                assert read_style(split(message["content"]).answer) == "comply"
