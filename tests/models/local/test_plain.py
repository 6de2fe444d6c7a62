"""The tokenizer without transformers against transformers' own: ids, texts, and what is left to it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from deliberant.micro import MODEL_DIR
from deliberant.models.local.plain import PlainTokenizer, plain_tokenizer
from deliberant.models.local.sampler import LocalSampler
from deliberant.prompts import Message
from tests.tiny import make_tiny_model

TYPICAL = r"""
{%- if tools %}
    {{- '<|im_start|>system\n# Tools\n' }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and not message.content.startswith('<tool_response>') %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + eos_token + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- if message.reasoning_content is string %}
            {{- message.reasoning_content }}
        {%- elif '</think>' in message.content %}
            {%- set content = message.content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\n' + content }}
        {%- if message.tool_calls %}{{- message.tool_calls[0].arguments | tojson(indent=2) }}{%- endif %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\n<tool_response>\n' }}
        {{- {"name": "é<&>", "content": message.content} | tojson }}
        {{- '\n</tool_response>' }}
        {%- if message.content == 'stop' %}{%- break %}{%- endif %}
    {%- elif message.role != "system" %}
        {{- raise_exception("no such role: " + message.role) }}
    {%- endif %}
{%- endfor %}
    {% if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
    {% endif %}
{{ bos_token }}|{{ unk_token is defined }}
"""


@pytest.fixture(scope="module")
def typical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_tiny_model(tmp_path_factory.mktemp("qwen3"), "qwen3")
    (folder / "chat_template.jinja").write_text(TYPICAL, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def pairs(typical: Path) -> list[tuple[PlainTokenizer, Any]]:
    found = []
    for folder in (typical, MODEL_DIR):
        ours = plain_tokenizer(folder)
        assert ours is not None
        found.append((ours, AutoTokenizer.from_pretrained(folder)))
    return found


pieces = ["how do i rob a bank?", "<|im_end|>", "<think>", "</think>", " [T1]", "\n", " ", "é", "stop", "<|end|>"]
texts = st.text() | st.lists(st.sampled_from(pieces)).map("".join)
roles = st.sampled_from(["system", "user", "assistant", "tool"])
turns = st.lists(st.builds(Message, role=roles, content=texts), min_size=1, max_size=5)


@given(turns, st.booleans())
def test_conversations_are_the_same_text_and_the_same_ids(
    pairs: list[tuple[PlainTokenizer, Any]], messages: list[Message], prompt: bool
) -> None:
    for ours, theirs in pairs:
        text = ours.apply_chat_template(messages, add_generation_prompt=prompt, tokenize=False)
        assert text == theirs.apply_chat_template(messages, add_generation_prompt=prompt, tokenize=False)
        ids = ours.apply_chat_template(messages, add_generation_prompt=prompt)
        assert ids == theirs.apply_chat_template(messages, add_generation_prompt=prompt, return_dict=False)


@given(texts, st.lists(st.integers(0, 260), max_size=20))
def test_texts_and_ids_go_over_the_same_way(pairs: list[tuple[PlainTokenizer, Any]], text: str, ids: list[int]) -> None:
    kept = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    for ours, theirs in pairs:
        found = ours.encode(text, add_special_tokens=False)
        assert found == theirs.encode(text, add_special_tokens=False)
        for each in (ids, found, ()):
            assert ours.decode(each, **kept) == theirs.decode(each, **kept)
        assert ours.eos_token_id == theirs.eos_token_id


def replaced(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8")


def setting(**changes: Any) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "tokenizer_config.json").read_text()) | changes
        (folder / "tokenizer_config.json").write_text(json.dumps(config))

    return edit


def backend(**changes: Any) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "tokenizer.json").read_text()) | changes
        (folder / "tokenizer.json").write_text(json.dumps(config))

    return edit


def many(folder: Path) -> None:
    config = json.loads((folder / "tokenizer.json").read_text())
    config["model"]["vocab"] |= {f"word{number}": 1000 + number for number in range(100_000)}
    (folder / "tokenizer.json").write_text(json.dumps(config))


TRUNCATION = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
EDITS: dict[str, Callable[[Path], object]] = {
    "a class with code of its own": setting(tokenizer_class="Qwen2Tokenizer"),
    "a setting that may change ids": setting(split_special_tokens=True),
    "a special token with properties": setting(eos_token={"content": "<|im_end|>", "lstrip": True}),
    "a special token to be added": setting(bos_token="<|new|>"),
    "more special tokens": setting(extra_special_tokens=["<|new|>"]),
    "a template in the settings": setting(chat_template="{{ messages }}"),
    "no template": lambda folder: (folder / "chat_template.jinja").unlink(),
    "several templates": lambda folder: (folder / "additional_chat_templates").mkdir(),
    "older files": replaced("special_tokens_map.json", "{}"),
    "a date": replaced("chat_template.jinja", "{{ strftime_now('%Y') }}"),
    "a dictionary": replaced("chat_template.jinja", "{{ dict(a=1) }}"),
    "assistant masks": replaced("chat_template.jinja", "{% generation %}a{% endgeneration %}"),
    "no such filter": replaced("chat_template.jinja", "{{ 1 | nosuch }}"),
    "a broken template": replaced("chat_template.jinja", "{% for"),
    "a damaged tokenizer": replaced("tokenizer.json", "{"),
    "damaged settings": replaced("tokenizer_config.json", "["),
    "truncation": backend(truncation=TRUNCATION),
    "a large vocabulary": many,
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_what_leaves_something_to_interpret_is_left_to_transformers(
    typical: Path, tmp_path: Path, edit: Callable[[Path], object]
) -> None:
    copy = shutil.copytree(typical, tmp_path / "copy")
    assert plain_tokenizer(copy) is not None
    edit(copy)
    assert plain_tokenizer(copy) is None


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{{ raise_exception('two system turns') }}", "two system turns"),
        ("{{ messages.append(1) }}", "append"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% set ns = namespace() %}{% set ns.__html__ = 1 %}", "__html__"),
        ("{% set ns = namespace({'_a': 1}) %}", "_a"),
        ("{{ nothing.here }}", "undefined"),
    ],
)
def test_a_template_that_refuses_or_reaches_out_fails_here_as_there(
    typical: Path, tmp_path: Path, template: str, error: str
) -> None:
    copy = shutil.copytree(typical, tmp_path / "copy")
    (copy / "chat_template.jinja").write_text(template)
    ours, theirs = plain_tokenizer(copy), AutoTokenizer.from_pretrained(copy)
    assert ours is not None
    messages = [Message(role="user", content="hello")]
    for tokenizer in (ours, theirs):
        with pytest.raises(jinja2.TemplateError, match=error):
            tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)


def test_a_sampler_has_transformers_own_where_it_is_asked_for(typical: Path) -> None:
    sampler = LocalSampler.load(typical)
    assert isinstance(sampler._tokenizer, PlainTokenizer)
    messages = [Message(role="user", content="hello")]
    before = sampler.encode(messages)
    assert sampler.tokenizer.is_fast and sampler.tokenizer is sampler.tokenizer
    assert sampler.encode(messages) == before and sampler.count_tokens("hello") == 5
