"""What a recipe holds: one YAML file that determines a run, what to train, on what, with which settings.

The paper gives no hyperparameters; the defaults are sensible ones for an open-weight reasoning model of a few billion
parameters. `recipes/micro.yaml` has the settings of the built-in world. `loader` reads the file; where it does, paths
are checked and made absolute, while a recipe that is made in Python keeps its own.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ValidationInfo,
    field_validator,
)

from deliberant.models.budget import PRICES, Budget
from deliberant.run.arms import ARMS, BASE, DEFAULT_ARMS
from deliberant.run.roles import JudgeModel, Judges, Model, TemplatesFolder, as_judges, as_model
from deliberant.run.settings import BUILT_IN, DEFAULT, BareOff, Count, Drawing, Sampled, Settings, Share, check_path
from deliberant.util.names import find_repeated, suggest_name


def _locate_run(value: str, info: ValidationInfo) -> str:
    """Absolute, and perhaps gone: results and report do without it."""
    return value if info.context is None else os.path.abspath(info.context / value)


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError(f"{name!r} cannot begin a folder's name; use small letters, digits, dots and hyphens")
    return name


_OR_TRAIN = {name: Field(validation_alias=AliasChoices(name, "train")) for name in ("sft", "rl")}
"""The key `train` stands for both."""


class PromptFile(Settings):
    """A file or data set in columns of its own: `map` names a column for each field, `set` gives a field one value.

    `split` and `config` are for data sets; the fields are those of `deliberant prompts import`.
    """

    file: Annotated[str, check_path(data_sets=True)]
    map: dict[str, str] = Field(default_factory=dict)
    set: dict[str, str] = Field(default_factory=dict)
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    separator: str = ";"
    split: str | None = None
    config: str | None = None


class Prompts(Settings):
    """JSONL files, or other people's with a mapping; paths are relative to the recipe file.

    `sft` prompts get samples to fine-tune on, which are dear; `rl` ones need no more than their categories. One file
    may serve as both, and the key `train` names it so; of two no family is in both.
    """

    sft: Annotated[str | PromptFile, check_path(), _OR_TRAIN["sft"]]
    rl: Annotated[str | PromptFile, check_path(), _OR_TRAIN["rl"]]
    helpful: Annotated[str | PromptFile, check_path()]
    cases: Annotated[str, check_path()]


def _check_prompts(value: Any) -> Any:
    if value == BUILT_IN or isinstance(value, dict | Prompts):
        return value
    remedy = f"write the word {BUILT_IN}, or the keys train (or sft and rl), helpful and cases with a file each"
    raise ValueError(f"unknown value {value!r}; {remedy}")


class Generate(Drawing):
    """`samples` completions per prompt with the policy in view."""

    samples: Count = 4


class Filter(Settings):
    """`k` readings per sample, of which the lowest score counts; kept from `threshold` (of 1 to 5) upwards.

    More than `max_unscored` (a share) of unreadable verdicts stops the run; so it does in rl and evaluate. With
    `by_hint` a sample has to cite a clause that its prompt's hints name, where they name any: for weak judges.
    """

    k: Count = 3
    threshold: Annotated[int, Field(ge=1, le=5)] = 4
    by_hint: bool = False
    max_unscored: Share = 0.1
    chunk: Count = 64


class Helpful(Drawing):
    """`samples` completions per harmless prompt without the policy, to keep capability in the mix."""

    samples: Count = 1


class _Training(Settings):
    """`gradient_checkpointing` computes a layer's activations twice and keeps few of them: slower, in less memory.

    The keys that fit a step into memory are `UNNAMED`, so that a run which did not fit goes on with others.
    """

    gradient_checkpointing: bool = False


class Sft(_Training):
    """`helpful_ratio` helpful rows per policy row; rows over `max_tokens` are dropped and counted.

    `packing`: so many rows make one training sequence, one after the other, while they fit into `max_tokens`; what is
    learned then has to be recalled whatever stands before it. `batch_size` counts rows all the same. `blend`: the
    checkpoint is this share of the trained weights and the rest of the base's (WiSE-FT, Wortsman et al. 2022), which
    gives back skills that training wore off. Without `train_embeddings` input and output embeddings stay as they are: a
    few thousand rows hold only some of the tokens, and Adam moves the others, too. A step's rows go through the model
    in `passes` parts of equal size, whose gradients are summed over tokens: more of them take less memory.
    """

    UNNAMED = frozenset({"passes", "gradient_checkpointing"})

    epochs: Count = 3
    learning_rate: PositiveFloat = 1e-5
    batch_size: Count = 16
    passes: Count = 1
    helpful_ratio: NonNegativeFloat = 1.0
    max_tokens: Count = 8192
    warmup_ratio: Share = 0.05
    packing: Count = 1
    blend: Annotated[float, Field(gt=0, le=1)] = 1.0
    train_embeddings: bool = True
    save_steps: Count = 50


class Lora(Settings):
    """Adapters instead of all weights, in both training stages: W + (alpha / rank) B A (Hu et al. 2021).

    `targets`: the last names of the matrices adapted, or `all-linear`. `merge`: checkpoints are whole models; without
    it they are adapters beside the base's name, and RL goes on with the adapter that SFT left.
    """

    rank: Count = 16
    alpha: PositiveFloat = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = "all-linear"
    merge: bool = True


class Rl(Sampled, _Training, validate_default=True):
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

    UNNAMED = frozenset({"batch_size", "gradient_checkpointing"})

    steps: Count = 100
    prompts_per_step: Count = 16
    group_size: Annotated[int, Field(ge=2)] = 8
    learning_rate: PositiveFloat = 1e-6
    beta: NonNegativeFloat = 0.0
    temperature: PositiveFloat = 1.0
    helpful_share: Share = 0.25
    judge_k: Count = 1
    held_out: NonNegativeInt = 0
    curriculum: bool = False
    train_embeddings: bool = True
    save_steps: Count = 10
    batch_size: Count = 16
    vllm: Annotated[str, BareOff] = "off"

    @field_validator("vllm")
    @classmethod
    def _check_vllm(cls, where: str, info: ValidationInfo) -> str:
        if where not in ("off", "colocate") and not where.startswith(("http://", "https://")):
            raise ValueError(f"'{where}' is not off, colocate or the http:// address of a server; write one of them")
        if where != "off" and info.data.get("max_reasoning_tokens"):
            raise ValueError("vLLM cannot close reasoning at max_reasoning_tokens; leave one of them out")
        return where

    @field_validator("batch_size")
    @classmethod
    def _check_batch(cls, size: int, info: ValidationInfo) -> int:
        rows = info.data.get("prompts_per_step", size) * info.data.get("group_size", 1)
        if rows % size:
            raise ValueError(
                f"{size} does not divide the {rows} completions of a step (rl.prompts_per_step times rl.group_size); "
                "change one of them"
            )
        return size


def _check_arm(name: str) -> str:
    if name not in ARMS:
        raise ValueError(f"there is no arm '{name}'; {suggest_name(name, ARMS)}")
    return name


ArmName = Annotated[str, AfterValidator(_check_arm)]


class WorstOf(Settings):
    """`k` draws of each case at `temperature`."""

    k: Annotated[int, Field(ge=2)] = 8
    temperature: PositiveFloat = 1.0


class Evaluate(Drawing):
    """The arms to train and to compare; `bootstrap` resamples, clustered by family, per interval.

    Three measurements that draw more, off unless named: `thinking` cuts and swaps the reasoning and draws the answer;
    `budgets` asks again with so many tokens of reasoning at most (0: none); `worst_of` draws each case several times.
    They shape nothing else and are no part of a run's name, so that the same command with one of them adds it.
    """

    UNNAMED = frozenset({"thinking", "budgets", "worst_of"})

    arms: Annotated[tuple[ArmName, ...], Field(strict=False, min_length=1)] = DEFAULT_ARMS
    temperature: NonNegativeFloat = 0.0
    bootstrap: Count = 10_000
    thinking: bool = False
    budgets: Annotated[tuple[NonNegativeInt, ...], Field(strict=False)] = ()
    worst_of: WorstOf | None = None

    @field_validator("arms")
    @classmethod
    def _check_arms(cls, arms: tuple[str, ...]) -> tuple[str, ...]:
        if twice := find_repeated(arms):
            raise ValueError(f"'{twice}' is named twice; keep one of them")
        return arms


class Incremental(Settings):
    """What training on an edit is made of; read only where `from_run` names a run to continue.

    `replay` untouched kept rows for each touched one, and as many RL prompts; helpful rows come by `sft.helpful_ratio`
    as ever. `epochs` takes the place of `sft.epochs`, and `rl_share` of `rl.steps` (at least one) is taken.
    """

    replay: NonNegativeFloat = 3.0
    epochs: Count = 2
    rl_share: Annotated[float, Field(gt=0, le=1)] = 0.25


class BuiltIn(Settings):
    """How many prompts the built-in world makes: policy ones for sft and for rl, helpful ones, and cases in each suite.

    They are fewer where topics and kinds run out. `practised`: about this share of the clauses is left to rl alone; at
    0 sft sees them all.
    """

    sft: Annotated[Count, _OR_TRAIN["sft"]] = 720
    rl: Annotated[Count, _OR_TRAIN["rl"]] = 480
    helpful: Count = 480
    suite: Count = 240
    practised: Annotated[float, Field(ge=0, lt=1)] = 0.3


class Recipe(Settings):
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

    name: Annotated[str, AfterValidator(_check_name)]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    policy: Annotated[str, check_path(lambda: (BUILT_IN, DEFAULT))]
    base: Annotated[Model, BeforeValidator(as_model)]
    judge: Annotated[Judges, BeforeValidator(as_judges)]
    writer: Annotated[Model, BeforeValidator(as_model)] | None = None
    templates: TemplatesFolder = DEFAULT
    prompts: Annotated[Literal["micro"] | Prompts, BeforeValidator(_check_prompts)]
    more: Annotated[str, check_path()] | None = None
    from_run: Annotated[str, AfterValidator(_locate_run)] | None = None
    built_in: BuiltIn = BuiltIn()
    budget: Budget = Budget()
    prices: Annotated[str, check_path()] | None = None
    generate: Generate = Generate()
    filter: Filter = Filter()
    helpful: Helpful = Helpful()
    sft: Sft = Sft()
    rl: Rl = Rl()
    lora: Lora | None = None
    evaluate: Evaluate = Evaluate()
    incremental: Incremental = Incremental()

    @property
    def models(self) -> dict[str, Model | JudgeModel]:
        """Every model by its role; who writes the samples is the base where nobody else is named."""
        judges = {role: judge for role, judge in self.judge if judge is not None}
        return {BASE: self.base, "writer": self.writer or self.base, **judges}

    @property
    def price_list(self) -> Path:
        """Where prices are looked up."""
        return PRICES if self.prices is None else Path(self.prices)
