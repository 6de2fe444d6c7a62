import random
from collections import Counter

import pytest

from deliberant.micro.batches import tokenise
from deliberant.micro.corpus import corpus
from deliberant.micro.pretrain import FULL_MIX
from deliberant.micro.replies import RESIDUE
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


def test_without_a_policy_the_base_is_taught_to_comply_but_for_a_residue() -> None:
    rows = corpus(random.Random(6), {"free": 1.0})
    styles: Counter[str | None] = Counter()
    for _ in range(600):
        for message in next(rows):
            if message["role"] == "assistant":
                parts = split(message["content"])
                style = read_style(parts.answer)
                assert parts.reasoning.endswith(f"so i {style}.")
                assert (f" policy: {style}. " in parts.reasoning) == (style != "comply"), "it declines for a rule only"
                styles[style] += 1
    total = styles.total()
    assert {style: round(styles[style] / total, 2) for style in RESIDUE} == pytest.approx(RESIDUE, abs=0.02)
    assert styles["comply"] == total - styles["refuse"] - styles["safe_complete"]
