"""One YAML file that determines a run: what to train, on what, with which settings.

The paper gives no hyperparameters; the defaults are sensible ones for an open-weight reasoning model of a few billion
parameters. `recipes/micro.yaml` has the settings of the built-in world.
"""

import os
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from deliberant.models.budget import PRICES, Budget
from deliberant.models.refs import parse_reference
from deliberant.models.types import Reasoning, Sampling
from deliberant.run.arms import ARMS, DEFAULT_ARMS
from deliberant.templates.loader import built_in
from deliberant.util.errors import UserError
from deliberant.util.files import no_pipe
from deliberant.util.names import nearest, repeated
from deliberant.util.yaml import Loader, Places, mistaken, parsed, place

BUILT_IN = "micro"
"""The word for the built-in world, wherever a recipe names a policy, a model, templates or prompts."""
DEFAULT = "default"
"""The word for the policy that a team can start from, and for the prompt files that suit any model."""

DATA_SET = re.compile(r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$", re.ASCII)
"""A data set's id on the Hub."""

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _folder_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError(f"{name!r} cannot begin a folder's name; use small letters, digits, dots and hyphens")
    return name


class _Sampled(_Settings):
    """Settings of whatever draws completions. With `max_reasoning_tokens` longer reasoning is closed there and the
    answer drawn; both together stay below `max_new_tokens`."""

    temperature: Temperature = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: Count = 4096
    max_reasoning_tokens: Count | None = None

    @property
    def sampling(self) -> Sampling:
        """The same settings as a sampler takes them."""
        return Sampling(self.temperature, self.top_p, self.max_new_tokens, self.max_reasoning_tokens)


class _Drawing(_Sampled):
    """What a stage draws; `chunk` requests or items are one durable unit of work."""

    chunk: Count = 64


def _model(value: Any) -> Any:
    """A bare reference stands for a model with all its settings at their defaults."""
    return {"model": value} if isinstance(value, str) else value


BareOff = BeforeValidator(lambda word: "off" if word is False else word)
"""YAML 1.1 reads a bare `off` as False."""


class Model(_Settings):
    """A model reference, and how that model comes to reason: `native`, `prompted` or `off`.

    `trust_remote_code`: run the code that comes with its files. Read it before.
    """

    model: str
    reasoning: Annotated[Reasoning, BareOff] = "native"
    trust_remote_code: bool = False


class JudgeModel(_Sampled):
    """A model that judges, with prompt files and sampling of its own; without `templates` the recipe's.

    Beside `default`, `json` asks for JSON, and `safeguard`, `dynaguard` and `cope` are for policy judges of that name.
    """

    model: str
    templates: str | None = None
    temperature: Temperature = 0.7
    max_new_tokens: Count = 2048


Judging = Annotated[JudgeModel, BeforeValidator(_model)]


class Judges(_Settings):
    """Who judges what. The judge that rewards is needed where an arm is trained by RL, and is not the one that
    evaluates, save in the built-in world, where the truth is known."""

    filter: Judging
    reward: Judging | None = None
    evaluate: Judging


def _judges(value: Any) -> Any:
    """One model given for all of them."""
    one = _model(value)
    return {"filter": one, "reward": one, "evaluate": one} if isinstance(one, dict) and "model" in one else one


_OR_TRAIN = {name: Field(validation_alias=AliasChoices(name, "train")) for name in ("sft", "rl")}
"""The key `train` stands for both."""


class PromptFile(_Settings):
    """A file or data set in columns of its own: `map` names a column for each field, `set` gives a field one value.

    `split` and `config` are for data sets; the fields are those of `deliberant prompts import`.
    """

    file: str
    map: dict[str, str] = {}
    set: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    separator: str = ";"
    split: str | None = None
    config: str | None = None


class Prompts(_Settings):
    """JSONL files, or other people's with a mapping; paths are relative to the recipe file.

    `sft` prompts get samples to fine-tune on, which are dear; `rl` ones need no more than their categories. One file
    may serve as both, and the key `train` names it so; of two no family is in both.
    """

    sft: Annotated[str | PromptFile, _OR_TRAIN["sft"]]
    rl: Annotated[str | PromptFile, _OR_TRAIN["rl"]]
    helpful: str | PromptFile
    cases: str


class Generate(_Drawing):
    """`samples` completions per prompt with the policy in view."""

    samples: Count = 4


class Filter(_Settings):
    """`k` readings per sample, of which the lowest score counts; kept from `threshold` (of 1 to 5) upwards.

    More than `max_unscored` (a share) of unreadable verdicts stops the run; so it does in rl and evaluate. With
    `by_hint` a sample has to cite a clause that its prompt's hints name, where they name any: for weak judges.
    """

    k: Count = 3
    threshold: Annotated[int, Field(ge=1, le=5)] = 4
    by_hint: bool = False
    max_unscored: Share = 0.1
    chunk: Count = 64


class Helpful(_Drawing):
    """`samples` completions per harmless prompt without the policy, to keep capability in the mix."""

    samples: Count = 1


class _Training(_Settings):
    """`gradient_checkpointing` computes a layer's activations twice and keeps few of them: slower, in less memory."""

    MEMORY: ClassVar[frozenset[str]]
    """Keys that fit a step into memory. They change no row and are no part of a run's name, so that a run which did not
    fit goes on with others."""
    gradient_checkpointing: bool = False

    @property
    def shaping(self) -> dict[str, Any]:
        """All other settings, which do shape what is trained."""
        return self.model_dump(mode="json", exclude=set(self.MEMORY))


class Sft(_Training):
    """`helpful_ratio` helpful rows per policy row; rows over `max_tokens` are dropped and counted.

    `packing`: so many rows make one training sequence, one after the other, while they fit into `max_tokens`; what is
    learned then has to be recalled whatever stands before it. `batch_size` counts rows all the same. `blend`: the
    checkpoint is this share of the trained weights and the rest of the base's (WiSE-FT, Wortsman et al. 2022), which
    gives back skills that training wore off. Without `train_embeddings` input and output embeddings stay as they are: a
    few thousand rows hold only some of the tokens, and Adam moves the others, too. A step's rows go through the model
    in `passes` parts of equal size, whose gradients are summed over tokens: more of them take less memory.
    """

    MEMORY = frozenset({"passes", "gradient_checkpointing"})

    epochs: Count = 3
    learning_rate: Rate = 1e-5
    batch_size: Count = 16
    passes: Count = 1
    helpful_ratio: Annotated[float, Field(ge=0)] = 1.0
    max_tokens: Count = 8192
    warmup_ratio: Share = 0.05
    packing: Count = 1
    blend: Annotated[float, Field(gt=0, le=1)] = 1.0
    train_embeddings: bool = True
    save_steps: Count = 50


class Lora(_Settings):
    """Adapters instead of all weights, in both training stages: W + (alpha / rank) B A (Hu et al. 2021).

    `targets`: the last names of the matrices adapted, or `all-linear`. `merge`: checkpoints are whole models; without
    it they are adapters beside the base's name, and RL goes on with the adapter that SFT left.
    """

    rank: Count = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = "all-linear"
    merge: bool = True


class Rl(_Sampled, _Training, validate_default=True):
    """Group-relative policy optimisation: `group_size` completions for each of `prompts_per_step` prompts.

    `judge_k` readings per answer, `beta` weighs the KL term,
    `helpful_share` of the prompts are harmless ones outside the policy, `batch_size` is the number of completions in
    one forward pass; `train_embeddings` as in `sft`.

    `curriculum`: a prompt whose last rewards were all the same rests from the next checkpoint on, if others are left.

    `held_out` prompts are not trained on: the arm's checkpoint is the trained one only where their rewards rose by more
    than chance, else its start. At 0 whatever training left is kept.

    `vllm`: `off`, and our sampler draws, row by row with seeds of its own; `colocate`, and vLLM does on the GPUs that
    train; or the address of a server (`trl vllm-serve`). vLLM is faster, and draws others when a run resumes.
    """

    MEMORY = frozenset({"batch_size", "gradient_checkpointing"})

    steps: Count = 100
    prompts_per_step: Count = 16
    group_size: Annotated[int, Field(ge=2)] = 8
    learning_rate: Rate = 1e-6
    beta: Annotated[float, Field(ge=0)] = 0.0
    temperature: Rate = 1.0
    helpful_share: Share = 0.25
    judge_k: Count = 1
    held_out: Annotated[int, Field(ge=0)] = 0
    curriculum: bool = False
    train_embeddings: bool = True
    save_steps: Count = 10
    batch_size: Count = 16
    vllm: Annotated[str, BareOff] = "off"

    @field_validator("vllm")
    @classmethod
    def _draws(cls, where: str, info: ValidationInfo) -> str:
        if where not in ("off", "colocate") and not where.startswith(("http://", "https://")):
            raise ValueError(
                f"'{where}' is none of off, colocate and the http:// address of a server; write one of them"
            )
        if where != "off" and info.data.get("max_reasoning_tokens"):
            raise ValueError("vLLM cannot close reasoning at max_reasoning_tokens; leave one of them out")
        return where

    @field_validator("batch_size")
    @classmethod
    def _divides(cls, size: int, info: ValidationInfo) -> int:
        rows = info.data.get("prompts_per_step", size) * info.data.get("group_size", 1)
        if rows % size:
            raise ValueError(
                f"{size} does not divide the {rows} completions of a step (rl.prompts_per_step times rl.group_size); "
                "change one of them"
            )
        return size


def _arm(name: str) -> str:
    if name not in ARMS:
        raise ValueError(f"there is no arm '{name}'; {nearest(name, ARMS)}")
    return name


class WorstOf(_Settings):
    """`k` draws of each case at `temperature`."""

    k: Annotated[int, Field(ge=2)] = 8
    temperature: Rate = 1.0


class Evaluate(_Drawing):
    """The arms to train and to compare; `bootstrap` resamples, clustered by family, per interval.

    Three measurements that draw more, off unless named: `thinking` cuts and swaps the reasoning and draws the answer;
    `budgets` asks again with so many tokens of reasoning at most (0: none); `worst_of` draws each case several times.
    They shape nothing else and are no part of a run's name, so that the same command with one of them adds it.
    """

    MORE: ClassVar[frozenset[str]] = frozenset({"thinking", "budgets", "worst_of"})

    arms: Annotated[tuple[Annotated[str, AfterValidator(_arm)], ...], Field(strict=False, min_length=1)] = DEFAULT_ARMS
    temperature: Temperature = 0.0
    bootstrap: Count = 10_000
    thinking: bool = False
    budgets: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False)] = ()
    worst_of: WorstOf | None = None

    @property
    def shaping(self) -> dict[str, Any]:
        """All other settings, which shape what every run measures."""
        return self.model_dump(mode="json", exclude=set(self.MORE))

    @field_validator("arms")
    @classmethod
    def _once(cls, arms: tuple[str, ...]) -> tuple[str, ...]:
        if twice := repeated(arms):
            raise ValueError(f"'{twice}' is named twice; keep one of them")
        return arms


class Incremental(_Settings):
    """What training on an edit is made of; read only where `from_run` names a run to continue.

    `replay` untouched kept rows for each touched one, and as many RL prompts; helpful rows come by `sft.helpful_ratio`
    as ever. `epochs` takes the place of `sft.epochs`, and `rl_share` of `rl.steps` (at least one) is taken.
    """

    replay: Annotated[float, Field(ge=0)] = 3.0
    epochs: Count = 2
    rl_share: Annotated[float, Field(gt=0, le=1)] = 0.25


class BuiltIn(_Settings):
    """How many prompts the built-in world makes: policy ones for sft and for rl, helpful ones, and cases in each suite.

    They are fewer where topics and kinds run out. `practised`: about this share of the clauses is left to rl alone; at
    0 sft sees them all.
    """

    sft: Annotated[Count, _OR_TRAIN["sft"]] = 720
    rl: Annotated[Count, _OR_TRAIN["rl"]] = 480
    helpful: Count = 480
    suite: Count = 240
    practised: Annotated[float, Field(ge=0, lt=1)] = 0.3


class Limits(_Settings):
    """The most that a run may spend on remote calls; reached, it stops, and with a higher one the same run resumes."""

    requests: Count | None = None
    tokens: Count | None = None
    dollars: Rate | None = None

    @property
    def budget(self) -> Budget:
        """The same limits as a sampler takes them."""
        return Budget(self.requests, self.tokens, self.dollars)


class Recipe(_Settings):
    """`policy` and `templates` are the word `micro`, the word `default`, or a folder; models are references.

    `base` is trained and `judge` has one model, or one each for `filter`, `reward` and `evaluate`. `writer` writes the
    training samples, where that is not the base.

    `built_in` sizes the prompt sets of the built-in world; it is read only where `prompts` is the word `micro`.

    `budget` bounds what remote calls may cost by `prices`, a file like models/prices.yaml; neither changes any row.

    `lora` has both training stages train adapters.

    `more` is a file of prompts, such as `deliberant redteam` writes, that are trained on, too: by sft or rl, wherever
    their families are.

    `from_run` is the folder of a finished run: after an edit of the policy only what it touches is made anew, and
    training continues from that run's checkpoints.
    """

    name: Annotated[str, AfterValidator(_folder_name)]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    policy: str
    base: Annotated[Model, BeforeValidator(_model)]
    judge: Annotated[Judges, BeforeValidator(_judges)]
    writer: Annotated[Model, BeforeValidator(_model)] | None = None
    templates: str = DEFAULT
    prompts: Literal["micro"] | Prompts
    more: str | None = None
    from_run: str | None = None
    built_in: BuiltIn = BuiltIn()
    budget: Limits = Limits()
    prices: str | None = None
    generate: Generate = Generate()
    filter: Filter = Filter()
    helpful: Helpful = Helpful()
    sft: Sft = Sft()
    rl: Rl = Rl()
    lora: Lora | None = None
    evaluate: Evaluate = Evaluate()
    incremental: Incremental = Incremental()

    @property
    def price_list(self) -> Path:
        """Where prices are looked up."""
        return PRICES if self.prices is None else Path(self.prices)


def load_recipe(path: Path | str, overrides: Sequence[str] = (), settled: bool = False) -> Recipe:
    """Read a recipe; each override is `key.key=value`, its value read as YAML.

    `settled`: it is that of a run, whose world no longer shows in it. Paths that exist relative to the recipe file come
    back absolute. Every mistake is a UserError that names file and line (or the override) and the nearest valid key.
    """
    path = Path(path)
    data, places = _read(path)
    for override in overrides:
        _override(data, places, override)
    data = _absolute(data, path.parent, places)
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise mistaken(error, Recipe, places) from error
    if not settled:
        _check_judges(recipe, places)
    return recipe


def _check_judges(recipe: Recipe, places: Places) -> None:
    """UserError where RL has no judge, or the judge that rewards also evaluates: it would grade its own teaching."""
    trained = [arm for arm in recipe.evaluate.arms if ARMS[arm].stage == "rl"]
    rewards, evaluates = recipe.judge.reward, recipe.judge.evaluate
    if trained and rewards is None:
        raise UserError(
            f"{place(places, ('judge',))}: judge.reward is missing, and {trained[0]} needs it; name a model"
        )
    if trained and rewards and rewards.model == evaluates.model and recipe.prompts != BUILT_IN:
        raise UserError(
            f"{place(places, ('judge',))}: judge.reward and judge.evaluate are one model, which would grade what it "
            "taught; name another for one of them"
        )


FOLDERS: dict[str, Callable[[], Collection[str]]] = {
    "policy": lambda: (BUILT_IN, DEFAULT),
    "templates": built_in,
}
"""Keys that hold a folder, and the words for the built-in ones."""
ROLES = ("base", "judge", "writer")
MODELS = ("model", *Judges.model_fields)
"""Keys below a role that hold a reference, or settings with one."""


class _Loader(Loader):
    """YAML 1.1 reads `1e-5` as text; a learning rate is a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _read(path: Path) -> tuple[dict[str, Any], Places]:
    no_pipe(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot read the recipe ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}:{line}: is not UTF-8; save it as UTF-8") from error
    data, places = parsed(path, text, _Loader)
    if not isinstance(data, dict):
        raise UserError(f"{path}:1: a recipe is a mapping of keys; start with `name: ...`")
    return data, places


def _override(data: dict[str, Any], places: Places, override: str) -> None:
    here = f"override '{override}'"
    key, equals, value = override.partition("=")
    *above, last = where = tuple(key.strip().split("."))
    if not equals or not all(where):
        raise UserError(f"{here}: write it as key=value, e.g. rl.steps=5")
    for part in above:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise UserError(f"{here}: '{part}' holds no keys; override it as a whole")
    try:
        data[last] = yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{here}: its value is no valid YAML; repair it") from error
    for length in range(1, len(where) + 1):
        if length == len(where) or where[:length] not in places:
            places[where[:length]] = here
    for inner in [each for each in places if each[: len(where)] == where]:
        places[inner] = here


def _absolute(data: dict[str, Any], folder: Path, places: Places) -> dict[str, Any]:
    """Paths as seen from the recipe file; UserError where a policy, a prompt file or a model's folder is not there."""

    def found(where: tuple[str, ...], value: Any, words: Collection[str], hub: bool = False) -> Any:
        if not isinstance(value, str) or value in words:
            return value  # whatever is no text is a mistake that validation words better
        path = folder / value
        if value and path.exists():
            return str(path.resolve())
        if hub and DATA_SET.match(value):
            return value
        remedy = f"; built in are {', '.join(words)}" if words else ""
        what = f"{'.'.join(where)}: there is no {path}; paths start from the recipe's folder{remedy}"
        raise UserError(f"{places[where]}: {what}")

    def model(where: tuple[str, ...], value: Any) -> Any:
        """Every reference below a role, checked, folders absolute."""
        if isinstance(value, dict):
            return {
                key: model((*where, key), each)
                if key in MODELS
                else found((*where, key), each, FOLDERS[key]())
                if key in FOLDERS
                else each
                for key, each in value.items()
            }
        if not isinstance(value, str):
            return value
        if (folder / value).is_dir() and value != BUILT_IN:
            return str((folder / value).resolve())
        try:
            return str(parse_reference(value))
        except UserError as error:
            raise UserError(f"{place(places, where)}: {'.'.join(where)}: {error}") from None

    changed: dict[str, Any] = {key: found((key,), data[key], words()) for key, words in FOLDERS.items() if key in data}
    changed |= {key: model((key,), data[key]) for key in ROLES if key in data}
    changed |= {key: found((key,), data[key], ()) for key in ("prices", "more") if key in data}
    prompts = data.get("prompts", BUILT_IN)
    if isinstance(prompts, dict):
        changed["prompts"] = {
            key: {**given, "file": found(("prompts", key, "file"), given["file"], (), hub=True)}
            if isinstance(given, dict) and "file" in given
            else found(("prompts", key), given, ())
            for key, given in prompts.items()
        }
    elif prompts != BUILT_IN:
        remedy = f"write the word {BUILT_IN}, or the keys train (or sft and rl), helpful and cases with a file each"
        raise UserError(f"{places['prompts',]}: prompts: unknown value {prompts!r}; {remedy}")
    if isinstance(old := data.get("from_run"), str):
        changed["from_run"] = os.path.abspath(folder / old)  # results and report do without, so it may be gone
    return {**data, **changed}
