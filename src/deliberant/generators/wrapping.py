"""Requests put into other words that stand in a data file: framings, build-ups, transformation requests, encodings.

No model takes part. The texts are of the kind that public benchmarks use; a file of one's own works, too. A request is
filled into its place and never looked at again, so one that imitates our placeholders or fences stays what it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from deliberant.generators.types import Made
from deliberant.judge.judge import fence
from deliberant.prompts.encodings import ANY_SCRIPT, ENCODINGS, has_other_letters, strip_accents
from deliberant.prompts.types import Message, Prompt
from deliberant.templates.loader import fill_from, placeholders
from deliberant.util.errors import UserError
from deliberant.util.files import fingerprint
from deliberant.util.names import suggest_name
from deliberant.util.yaml import locate, read_model, read_text

HERE = Path(__file__).parent
WRAPPERS = {name: HERE / f"{name}.yaml" for name in ("framings", "multi-turn", "transform", "encode")}
"""Generator -> its data file."""
SINGLE = "framings"
"""The generator whose wrappers are framings by name; those of the others are framings together."""
NEEDED: tuple[set[str], ...] = ({"request"}, {"first", "second"})
"""A wrapper holds the whole request, or both halves of it."""
KNOWN = {"request", "first", "second", "fence"}


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "user", "assistant"]
    content: str


class _WrapperRow(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    same_request: bool
    texts: list[str] = []
    conversations: list[list[_Turn]] = []

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.conversations += [[_Turn(role="user", content=text)] for text in self.texts]
        if not self.conversations:
            raise ValueError("has neither texts nor conversations; write one")
        for turns in self.conversations:
            names = set().union(*(placeholders(turn.content) for turn in turns))
            if unknown := min(names - KNOWN, default=None):
                raise ValueError(f"unknown placeholder {{{{{unknown}}}}}; {suggest_name(unknown, KNOWN)}")
            if not any(needed <= names for needed in NEEDED):
                remedy = "write {{request}}, or {{first}} and {{second}}, where it belongs"
                raise ValueError(f"does not hold the request; {remedy}")
            if turns[-1].role != "user":
                raise ValueError("must end on a user turn; put the assistant's before it")
        return self


class _WrapperFile(RootModel[dict[str, _WrapperRow]]):
    pass


@dataclass(frozen=True)
class Wrapper:
    """One way to put a request: `conversations` of which each prompt gets one. `source`: e.g. framings:fiction@hash.

    `same_request`: it still asks the same, so what was believed of the right answer still holds.
    """

    kind: str
    name: str
    same_request: bool
    conversations: tuple[tuple[Message, ...], ...]
    source: str

    @property
    def framing(self) -> str:
        """How prompts in this wrapper ask."""
        return self.name if self.kind == SINGLE else {"encode": "encoded"}.get(self.kind, self.kind)


def load_wrappers(kind: str, only: Sequence[str] = (), path: Path | None = None) -> list[Wrapper]:
    """The wrappers of a generator, or those of a data file of one's own; `only` some of them, by name.

    UserError naming file and line for whatever is unknown, missing or no YAML.
    """
    file = path or WRAPPERS[kind]
    text = read_text(file)
    data, places = read_model(file, _WrapperFile, text)
    rows = data.root
    for name in only:
        if name not in rows:
            raise UserError(f"--only: unknown value '{name}'; {suggest_name(name, rows)}")
    if kind == "encode" and (strange := [name for name in rows if name not in ENCODINGS]):
        here = locate(places, (strange[0],))
        raise UserError(f"{here}: unknown encoding '{strange[0]}'; {suggest_name(strange[0], ENCODINGS)}")
    digest = fingerprint(text)[:8]
    return [
        Wrapper(
            kind,
            name,
            row.same_request,
            tuple(tuple(Message(role=turn.role, content=turn.content) for turn in each) for each in row.conversations),
            f"generated:{kind}:{name}@{digest}",
        )
        for name, row in rows.items()
        if not only or name in only
    ]


def wrap(prompts: Sequence[Prompt], wrappers: Sequence[Wrapper], each: int | None, seed: int) -> list[Made]:
    """Every prompt in `each` of the wrappers (all, if None), drawn by a hash of seed, prompt and wrapper.

    The last user turn is the request. Family, licence and categories stay, hints where the wrapper asks the same.
    """
    made = []
    for prompt in prompts:
        order = sorted(wrappers, key=lambda wrapper: _number(seed, prompt.id, wrapper.name))
        chosen = order[:each] if each is not None else order
        made += [_wrapped(prompt, wrapper, seed) for wrapper in wrappers if wrapper in chosen]
    return made


def _wrapped(prompt: Prompt, wrapper: Wrapper, seed: int) -> Made:
    generator = f"{wrapper.kind}:{wrapper.name}"
    request = prompt.messages[-1]["content"]
    number = _number(seed, prompt.id, wrapper.name, "wording")
    shape = wrapper.conversations[number % len(wrapper.conversations)]
    before = prompt.messages[:-1]

    def fails(why: str) -> Made:
        return Made(generator, prompt.id, prompt.family, None, why, request)

    if len(shape) > 1 and any(turn["role"] != "system" for turn in before):
        return fails("the source has several turns already")
    if wrapper.kind == "encode":
        before_it = strip_accents(request)
        try:
            request = ENCODINGS[wrapper.name][0](before_it)
        except ValueError:
            return fails(f"does not survive {wrapper.name}: it would not decode to itself")
        if request == before_it or (has_other_letters(before_it) and wrapper.name not in ANY_SCRIPT):
            return fails(f"{wrapper.name} writes a to z otherwise, and this has no such letters, or others, too")
    values = {"request": request, "fence": fence({"request": request}, seed)}
    if any(placeholders(turn["content"]) & {"first", "second"} for turn in shape):
        gap = " " if request.isascii() or len(request.split()) > 1 else ""  # some scripts put no spaces between words
        words = request.split() if gap else list(request)
        if len(words) < 2:
            return fails("is one word, which has no halves")
        middle = (len(words) + 1) // 2
        values |= {"first": gap.join(words[:middle]), "second": gap.join(words[middle:])}
    turns = [Message(role=turn["role"], content=fill_from(turn["content"], values)) for turn in shape]
    if any(turn["role"] == "system" for turn in before):  # the source's own system message holds
        turns = [turn for turn in turns if turn["role"] != "system"]
    kept = prompt.hints if wrapper.same_request else ()
    new = replace(
        prompt,
        id=f"{prompt.id}~{wrapper.name}-{fingerprint([seed, prompt.id, wrapper.source])[:8]}",
        messages=(*before, *turns),
        hints=kept,
        source=describe_origin(wrapper.source, prompt),
        framing=wrapper.framing,
    )
    return Made(generator, prompt.id, prompt.family, new, hints=len(prompt.hints) - len(kept))


def describe_origin(source: str, prompt: Prompt) -> str:
    """The `source` of what was made of a prompt: how, and of which data set."""
    return f"{source} from {prompt.source}" if prompt.source else source


def _number(*parts: Any) -> int:
    return int(fingerprint(list(parts)), 16)
