"""A plain tokenizer without transformers, whose import takes longer than answering one prompt does.

Only for `LocalSampler` on the fast path, and only where the files leave nothing to interpret: tokenizer.json says it
all, and one chat_template.jinja. Everything else is transformers' business, whose own tokenizer is also what
`LocalSampler.tokenizer` gives. Ids and texts are the same, bit for bit; tests compare. Templates come with strangers'
checkpoints, so they run in jinja's immutable sandbox, as in transformers; one that needs what is not here (`dict`,
`strftime_now`, the tag `generation`) is left to it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, TemplateSyntaxError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from deliberant.models.checkpoint import json_object
from deliberant.prompts.types import Message

CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")
"""Names under which a tokenizer is what tokenizer.json says, with no code of its own."""
FILES = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
OLDER = {"added_tokens.json", "special_tokens_map.json", "additional_chat_templates"}
"""Names in a folder that would change what `FILES` say."""
SPECIALS = {f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}
IDLE = {"tokenizer_class", "backend", "clean_up_tokenization_spaces", "is_local", "local_files_only"}
IDLE |= {"model_max_length"}
"""Keys of tokenizer_config.json that change no id and no text, as sampling asks for them."""
VOCABULARY = 100_000
"""Above this transformers looks whether it is one of Mistral's tokenizers, which it mends."""


class PlainTokenizer:
    """The part of a Hugging Face tokenizer that sampling needs, under the same names."""

    def __init__(self, folder: Path, backend: Any, template: Template, specials: dict[str, str]) -> None:
        self.folder, self.chat_template = folder, template
        self._backend, self._specials = backend, specials
        self.eos_token_id: int | None = backend.token_to_id(specials["eos_token"]) if "eos_token" in specials else None

    def apply_chat_template(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool,
        tokenize: bool = True,
        return_dict: bool = False,
    ) -> Any:
        """The conversation's text, or its token ids; jinja2.TemplateError where the template refuses it."""
        assert messages and not return_dict
        turns = [dict(message) for message in messages]
        context = {"messages": turns, "tools": None, "documents": None, "add_generation_prompt": add_generation_prompt}
        text = self.chat_template.render(**self._specials, **context)
        return self.encode(text, add_special_tokens=False) if tokenize else text

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        ids: list[int] = self._backend.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool, clean_up_tokenization_spaces: bool) -> str:
        assert not clean_up_tokenization_spaces
        text: str = self._backend.decode(ids, skip_special_tokens=skip_special_tokens)
        return text


def plain_tokenizer(folder: Path) -> PlainTokenizer | None:
    """The tokenizer of a checkpoint, where its files leave nothing to interpret; None where transformers has to."""
    from tokenizers import Tokenizer

    files = {path.name for path in folder.iterdir()}
    config = json_object(folder / "tokenizer_config.json")
    specials = {name: token for name, token in config.items() if name in SPECIALS and token is not None}
    if (
        not files >= FILES
        or files & OLDER
        or config.get("tokenizer_class") not in CLASSES
        or not config.keys() <= SPECIALS | IDLE
        or not all(isinstance(token, str) for token in specials.values())
    ):
        return None
    try:
        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception:  # the library raises nothing narrower; transformers words it better
        return None
    if (
        backend.get_vocab_size() > VOCABULARY
        or backend.padding is not None
        or backend.truncation is not None
        or not set(specials.values()) <= {token.content for token in backend.get_added_tokens_decoder().values()}
    ):
        return None
    template = _template((folder / "chat_template.jinja").read_text(encoding="utf-8"))
    return PlainTokenizer(folder, backend, template, specials) if template else None


def _template(source: str) -> Template | None:
    """Compiled as transformers compiles it; None where it needs what is not here, or is no template at all."""
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    made.filters["tojson"] = _tojson
    made.globals |= {"raise_exception": _raise_exception, "namespace": _Namespace}
    del made.globals["dict"]  # `meta` finds only names that jinja does not have itself
    try:
        needed = meta.find_undeclared_variables(made.parse(source)) & {"dict", "strftime_now"}
        return None if needed else made.from_string(source)
    except TemplateSyntaxError:
        return None


def _tojson(
    x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Without the escapes for HTML that jinja's own has."""
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


class _Namespace(Namespace):
    """jinja's, without names that could be Python's own."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # without `self`, which may be one of the names
        Namespace.__init__(args[0])
        for name, value in dict(*args[1:], **kwargs).items():
            args[0][name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(f"a chat template can not store {name!r} in a namespace; rename it")
        super().__setitem__(name, value)
