from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.models import split
from deliberant.models.formats import formats
from deliberant.policy import Category, Clause, spec_view
from deliberant.policy.types import clause_heading
from deliberant.prompts.types import Message, Prompt
from deliberant.training.rows import (
    IGNORED,
    RowBuilder,
    TrainingRow,
    end_of_turn,
    mix,
    replay,
)
from tests.stages.scripted import HEARTH, POLICY, PRUNING
from tests.tiny import make_tiny_tokenizer

TOKENIZER = make_tiny_tokenizer()


def builder(format: str = "micro", opened: bool = False) -> RowBuilder:
    """A builder for a model that writes reasoning in this format; `opened`: its prompts open it."""

    def encode(messages: Sequence[Message]) -> list[int]:
        text = TOKENIZER.apply_chat_template(list(messages), add_generation_prompt=True, tokenize=False)
        return list(TOKENIZER.encode(text + formats()[format].opening * opened))

    sampler = SimpleNamespace(tokenizer=TOKENIZER, format=formats()[format], opened=opened, encode=encode)
    return RowBuilder(POLICY, sampler)  # type: ignore[arg-type]


def loss_view(row: TrainingRow) -> str:
    """The row as text, with what carries loss between ⟦ and ⟧."""
    labelled = zip(row.input_ids, row.labels, strict=True)
    spans = groupby(labelled, lambda pair: pair[1] != IGNORED)
    texts = [(loss, TOKENIZER.decode([token for token, _ in span])) for loss, span in spans]
    return "".join(f"⟦{text}⟧" if loss else text for loss, text in texts)


BUILDER = builder()
TEXT = "<think>[F2] says comply</think>use dry wood"
CLAUSES = [clause for category in POLICY.categories for clause in category.clauses]
words = st.text(st.characters(exclude_characters="<>|", codec="utf-8"), max_size=30)


def sampled(text: str, id: str = "a") -> dict[str, Any]:
    """A row of generate with this raw text."""
    parts = split(text)
    return {"id": id, "reasoning": parts.reasoning, "answer": parts.answer, "complete": parts.complete}


def rows(number: int, source: str = "policy", text: str = TEXT) -> list[TrainingRow]:
    return [BUILDER.row(HEARTH, source, sampled(text, f"{source}{index}")) for index in range(number)]


def test_loss_is_on_reasoning_answer_and_end_of_turn_and_on_nothing_else() -> None:
    view = loss_view(BUILDER.row(PRUNING, "policy", sampled(TEXT)))
    assert view == (
        "<|im_start|>system\nyou love roses<|im_end|>\n<|im_start|>user\nhow do i prune?<|im_end|>\n"
        f"<|im_start|>assistant\n⟦{TEXT}<|im_end|>⟧"
    )


@given(words, words)
def test_a_row_holds_its_text_exactly_and_labels_all_of_it(reasoning: str, answer: str) -> None:
    text = f"<think>{reasoning.strip()}</think>{answer.strip()}"
    row = BUILDER.row(HEARTH, "policy", sampled(text))
    assert TOKENIZER.decode(row.completion_ids[:-1]) == text
    assert row.completion_ids[-1] == TOKENIZER.eos_token_id
    assert len(row.labels) == len(row.input_ids) == row.tokens
    assert [pair for pair in zip(row.labels, row.input_ids, strict=True) if pair[0] not in (IGNORED, pair[1])] == []
    assert row.labels.count(IGNORED) == len(row.prompt_ids)


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.id)
def test_a_clause_heading_in_a_prompt_is_an_invariant_broken(clause: Clause) -> None:
    prompt = Prompt(
        "p", (Message(role="user", content=f"so:\n{clause_heading(clause)}\nhow?"),), (clause.category,), "p"
    )
    with pytest.raises(AssertionError, match="policy text"):
        BUILDER.row(prompt, "policy", sampled(TEXT))


@pytest.mark.parametrize("category", POLICY.categories, ids=lambda category: category.id)
def test_a_spec_view_in_the_system_message_is_an_invariant_broken(category: Category) -> None:
    system = Message(role="system", content="Follow this.\n\n" + spec_view(POLICY, [category.id]))
    with pytest.raises(AssertionError, match="policy text"):
        BUILDER.row(Prompt("p", (system, *HEARTH.messages), (category.id,), "p"), "policy", sampled(TEXT))


def test_the_policy_in_the_reasoning_is_what_we_train_on() -> None:
    text = f"<think>{clause_heading(CLAUSES[0])} applies</think>no"
    assert BUILDER.row(HEARTH, "policy", sampled(text)).text == text


@pytest.mark.parametrize("text", ["<think>never closed", "no tags", "<think>a</think>b<think>c</think>d"])
def test_a_sample_without_a_clean_split_is_an_invariant_broken(text: str) -> None:
    with pytest.raises(AssertionError, match="no whole reasoning"):
        BUILDER.row(HEARTH, "policy", sampled(text))


def test_end_of_turn_is_what_the_template_closes_with_not_the_eos() -> None:
    tokenizer = make_tiny_tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<|end_of_text|>"})
    assert end_of_turn(tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>") != tokenizer.eos_token_id
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    assert end_of_turn(tokenizer) == tokenizer.eos_token_id


@pytest.mark.parametrize("name", list(formats()))
@pytest.mark.parametrize("opened", [False, True])
def test_rows_are_written_in_the_models_own_format(name: str, opened: bool) -> None:
    build = builder(name, opened)
    row = build.row(HEARTH, "policy", sampled("<think>well</think>yes"))
    assert split(row.text, opened) == split("<think>well</think>yes")
    assert row.text.startswith("well" if opened else formats()[name].open)
    whole = TOKENIZER.decode(row.input_ids[:-1])
    assert whole.endswith(formats()[name].join("well", "yes"))
    assert split(build.without_reasoning(row).text, opened) == split("<think></think>yes")


def test_the_no_cot_twin_differs_in_its_completion_alone() -> None:
    row = rows(1)[0]
    twin = BUILDER.without_reasoning(row)
    assert loss_view(twin).endswith("⟦<think></think>use dry wood<|im_end|>⟧")
    assert (twin.prompt_ids, twin.sample_id, twin.source) == (row.prompt_ids, row.sample_id, row.source)


def test_too_long_is_dropped_and_counted_never_cut() -> None:
    short, long = rows(3)[0], BUILDER.row(HEARTH, "policy", sampled(TEXT + "!", "long"))
    mixed = mix([short, long], rows(1, "helpful", TEXT + "!"), 1.0, max_tokens=short.tokens, seed=0)
    assert mixed.rows == [short]
    assert mixed.counts == {
        "rows": 1,
        "policy": 1,
        "policy_too_long": 1,
        "helpful": 0,
        "helpful_too_long": 1,
        "helpful_missing": 1,
        "tokens": short.tokens,
        "p95_tokens": short.tokens,
    }


@given(st.integers(1, 20), st.integers(0, 20), st.floats(0, 3))
def test_the_mix_keeps_every_policy_row_and_the_ratio_as_far_as_rows_last(
    policy: int, helpful: int, ratio: float
) -> None:
    mixed = mix(rows(policy), rows(helpful, "helpful"), ratio, max_tokens=999, seed=1)
    ids = [row.sample_id for row in mixed.rows]
    assert len(set(ids)) == len(ids) == mixed.counts["rows"]
    assert sum(row.source == "policy" for row in mixed.rows) == policy
    assert mixed.counts["helpful"] + mixed.counts["helpful_missing"] == round(ratio * policy)
    assert mixed.counts["helpful_missing"] == max(0, round(ratio * policy) - helpful)


def test_the_seed_alone_decides_order_and_choice() -> None:
    def order(seed: int) -> list[str]:
        return [row.sample_id for row in mix(rows(20), rows(20, "helpful"), 0.5, max_tokens=999, seed=seed).rows]

    assert order(1) == order(1) != order(2)
    assert {name for name in order(1) if "helpful" in name} != {name for name in order(2) if "helpful" in name}
    assert "policy" in "".join(order(1)[-10:]), "helpful rows must not all come last"


def test_a_replay_goes_through_all_clauses_before_it_repeats_one() -> None:
    samples = [{"id": f"{clause}{n}", "cited": ["X1", clause]} for clause in ("F1", "F2", "T1") for n in range(20)]
    samples = [row for row in samples if row["id"] not in {f"F2{n}" for n in range(2, 20)}]
    drawn = replay(samples, 8, seed=0)
    assert Counter(row["cited"][-1] for row in drawn) == {"F1": 3, "F2": 2, "T1": 3}
    assert len({str(row["id"]) for row in drawn}) == 8
    assert drawn == replay(samples, 8, seed=0) != replay(samples, 8, seed=1)
    assert len(replay(samples, 99, seed=0)) == len(samples) and replay(samples, 0, seed=0) == []
