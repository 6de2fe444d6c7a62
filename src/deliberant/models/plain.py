"""A plain tokenizer without transformers, whose import takes longer than answering one prompt does.

`deliberant chat` starts in a fresh process each time, and the fast path needs nothing else of transformers. Only where
the files leave nothing to interpret: tokenizer.json says it all, and one chat_template.jinja. Every other checkpoint is
transformers' business, and so is whatever loads transformers anyway (`LocalSampler.tokenizer` is always its own). Ids
and texts are the same; tests compare. A template sees what it sees there: jinja's immutable sandbox, since templates
come with strangers' checkpoints, and transformers' names and filters. A template that uses a name that is not here
(`dict`, `strftime_now`, the tag `generation`) is left to transformers.
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
SPECIALS = {f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")}
IDLE = {"tokenizer_class", "backend", "clean_up_tokenization_spaces", "is_local", "local_files_only", "model_max_length"}
"""Keys of tokenizer_config.json that change neither the ids of a text nor the text of ids, as sampling asks for them."""
FILES = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
OLDER = {"added_tokens.json", "special_tokens_map.json", "additional_chat_templates"}
"""Names in a folder that would change what `FILES` say."""
VOCABULARY = 100_000
"""Above this transformers looks whether it is one of Mistral's tokenizers, which it mends."""
THEIRS = {"dict", "strftime_now"}
"""Names in a template for which transformers has objects of its own that are not here."""


class PlainTokenizer:
    """The part of a Hugging Face tokenizer that sampling needs, under the same names."""

    def __init__(self, folder: Path, backend: Any, template: Template, specials: dict[str, str]) -> None:
        self.folder = folder
        self.name_or_path = str(folder)
        self.chat_template = template
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
        text = self.chat_template.render(
            **self._specials,
            messages=[dict(message) for message in messages],
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
        )
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
    added = {token.content for token in backend.get_added_tokens_decoder().values()}
    if (
        backend.get_vocab_size() > VOCABULARY
        or backend.padding is not None
        or backend.truncation is not None
        or not set(specials.values()) <= added
    ):
        return None
    template = _template((folder / "chat_template.jinja").read_text(encoding="utf-8"))
    return None if template is None else PlainTokenizer(folder, backend, template, specials)


def _template(source: str) -> Template | None:
    """Compiled as transformers compiles it; None where it needs what is not here, or is no template at all."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals |= {"raise_exception": _raise_exception, "namespace": _Namespace}
    del environment.globals["dict"]  # names that jinja has itself are not among those it finds
    try:
        names = meta.find_undeclared_variables(environment.parse(source))
        return None if names & THEIRS else environment.from_string(source)
    except TemplateSyntaxError:
        return None


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Without jinja's escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


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
