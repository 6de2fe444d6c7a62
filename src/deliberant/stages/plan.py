"""What a run will take, stage by stage, before anything is loaded or spent; and afterwards, what it took.

    deliberant plan RECIPE
    deliberant plan RUN

Every sample counts as kept and every reading as made once, so figures are upper bounds. Completions have the length
that `deliberant doctor` measured, else the most that the recipe allows. An incremental run takes less than this says.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from deliberant.evals.thinking import CUTS
from deliberant.judge import FilterRequest, Judge, RewardRequest
from deliberant.models.budget import read_prices
from deliberant.models.cost import Asked, Speed, Work, estimate_work, make_counter
from deliberant.models.refs import parse_reference
from deliberant.models.types import Sampling, Usage
from deliberant.policy import Policy, spec_view, summary_view
from deliberant.prompts.types import Message, Prompt
from deliberant.run.arms import ARMS, BASE
from deliberant.run.folder import read_manifest
from deliberant.run.recipe import Generate, Helpful, Recipe
from deliberant.run.roles import JudgeModel, Model
from deliberant.run.run import list_stages
from deliberant.run.schedule import schedule, set_aside
from deliberant.run.settings import BUILT_IN
from deliberant.run.sources import PromptSets, document_prompts
from deliberant.stages.documents import document_messages
from deliberant.stages.generate import writer_messages
from deliberant.stages.helpful import plain_messages
from deliberant.templates.loader import Templates
from deliberant.util.files import read_json, read_rows, write_json

if TYPE_CHECKING:
    from deliberant.run.run import Run

FILE = "plan.json"
DATA = ("helpful", "generate", "filter")
Speeds = Mapping[str, Mapping[str, Speed]]
"""By model and role."""


@dataclass(frozen=True)
class Plan:
    """`notes` say how it was counted, and what is not known yet."""

    works: Sequence[Work]
    notes: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """{stages: [a row for each use of a model], total: {calls, input, cached, output, dollars}, notes}."""
        rows = [{**asdict(each), **asdict(each.usage)} for each in self.works]
        for row in rows:
            del row["usage"]
        total = {key: sum(row[key] for row in rows) for key in ("calls", "input", "cached", "output")}
        known = [each.dollars for each in self.works if each.dollars is not None]
        return {"stages": rows, "total": {**total, "dollars": sum(known) if known else None}, "notes": list(self.notes)}


def stages_to_do(recipe: Recipe, train: Sequence[Prompt]) -> list[str]:
    """The stages of a recipe in order. A recipe that trains no arm is there for its data."""
    stages = list_stages(recipe.evaluate.arms)
    if "generate" not in stages and any(prompt.categories for prompt in train):
        return list(dict.fromkeys((*DATA, *stages)))
    return stages


def plan(recipe: Recipe, policy: Policy, sets: PromptSets, speeds: Speeds, world: str | None = None) -> Plan:
    """The plan of a recipe with its policy and prompts. `world`: the built-in one's name, where it made them.

    UserError for what makes the work impossible, such as too few prompts.
    """
    works = list(_Works(recipe, policy, sets, speeds, world or str(recipe.prompts)).all())
    models = {each.model: parse_reference(each.model) for each in works}
    ways = {model: make_counter(reference)[1] for model, reference in models.items()}
    notes = [f"tokens of {model}: counted as {way}" for model, way in ways.items()]
    unmeasured = sorted({each.model for each in works if each.hours is None and not each.steps})
    if unmeasured:
        notes.append(
            f"not measured yet: {', '.join(unmeasured)}; `deliberant doctor` measures speed and length; until then "
            "completions count as long as the recipe allows"
        )
    priced = {each.model for each in works if each.dollars is not None}
    unpriced = [model for model, reference in models.items() if reference.kind == "api" and model not in priced]
    notes += [f"no price of {model} in {recipe.price_list.name}" for model in unpriced]
    return Plan(works, notes)


class _Works(NamedTuple):
    recipe: Recipe
    policy: Policy
    sets: PromptSets
    speeds: Speeds
    world: str

    def all(self) -> Iterator[Work]:
        for stage in stages_to_do(self.recipe, self.sets.sft):
            arm = ARMS.get(stage)
            if stage == "evaluate":
                for name in self.recipe.evaluate.arms:
                    yield from self._evaluate(name)
            elif stage == "filter":
                yield self._filter()
            elif arm:
                yield from [self._sft(stage)] if arm.stage == "sft" else self._rl(stage)
            elif stage != "report":
                yield self._samples(stage)

    def _speed(self, model: str, role: str) -> Speed | None:
        """As a role, else as the base: an arm that is trained is as fast."""
        by_role = self.speeds.get(str(parse_reference(model)), {})
        return by_role.get(role) or by_role.get(BASE)

    def _output(self, model: str, role: str, sampling: Sampling) -> float:
        speed = self._speed(model, role)
        return min(speed.output, sampling.max_new_tokens) if speed else sampling.max_new_tokens

    def _work(self, stage: str, role: str, model: str, sampling: Sampling, asked: Sequence[Asked]) -> Work:
        prices = read_prices(self.recipe.price_list)
        output, speed = self._output(model, role, sampling), self._speed(model, role)
        return estimate_work(stage, role, parse_reference(model), asked, output, prices, speed)

    def _judge_work(
        self, stage: str, role: str, prompts: Sequence[Prompt], answer: float, times: Sequence[int], k: int
    ) -> Work:
        """Each prompt's answer is `answer` tokens long, drawn `times` times and read `k` times each."""
        judge = getattr(self.recipe.judge, role)
        shown = (judge_messages(self.recipe, self.policy, judge, each, reasoned=role == "filter") for each in prompts)
        asked = [Asked(messages, round(answer), n, k) for messages, n in zip(shown, times, strict=True)]
        return self._work(stage, role, judge.model, judge.sampling, asked)

    @property
    def _covered(self) -> list[Prompt]:
        return [prompt for prompt in self.sets.sft if prompt.categories]

    @property
    def _writer(self) -> tuple[Model, str]:
        """Whoever writes the samples, and its role."""
        return (self.recipe.writer, "writer") if self.recipe.writer else (self.recipe.base, BASE)

    @property
    def _sample(self) -> int:
        """Tokens of one sample."""
        writer, role = self._writer
        return round(self._output(writer.model, role, self.recipe.generate.sampling))

    def _samples(self, stage: str) -> Work:
        """Stages helpful, generate and documents."""
        templates = Templates.load(self.recipe.templates)
        recipe: Helpful | Generate = self.recipe.generate
        model, role = self._writer
        if stage == "helpful":
            recipe, model, role = self.recipe.helpful, self.recipe.base, BASE
            shown = [plain_messages(each, 0, templates, model.reasoning) for each in self.sets.helpful]
        elif stage == "generate":
            shown = [writer_messages(each, 0, self.policy, templates, model.reasoning) for each in self._covered]
        else:
            about = document_prompts(self.world, self.policy, self.recipe.seed)
            shown = [document_messages(each, 0, self.policy, templates, self.world, model.reasoning) for each in about]
        requests = [Asked(messages, times=recipe.samples) for messages in shown]
        return self._work(stage, role, model.model, recipe.sampling, requests)

    def _filter(self) -> Work:
        prompts = self._covered
        times = [self.recipe.generate.samples] * len(prompts)
        return self._judge_work("filter", "filter", prompts, self._sample, times, self.recipe.filter.k)

    def _sft(self, arm: str) -> Work:
        recipe, model = self.recipe.sft, self.recipe.base.model
        count, _ = make_counter(parse_reference(model))
        about = document_prompts(self.world, self.policy, self.recipe.seed) if ARMS[arm].documents else self._covered
        taught = [each for each in about for _ in range(self.recipe.generate.samples)]
        plain = [each for each in self.sets.helpful for _ in range(self.recipe.helpful.samples)]
        rows = [*taught, *plain[: round(recipe.helpful_ratio * len(taught))]]
        tokens = sum(count(turn["content"]) for each in rows for turn in each.messages) + self._sample * len(rows)
        steps = math.ceil(recipe.epochs * len(rows) / recipe.batch_size)
        return Work(arm, BASE, str(parse_reference(model)), 0, Usage(tokens * recipe.epochs, 0), steps)

    def _rl(self, arm: str) -> Iterator[Work]:
        recipe, base = self.recipe.rl, self.recipe.base.model
        everything = [*self.sets.rl, *self.sets.helpful]
        held, left = set_aside(everything, recipe, self.recipe.seed)
        dealt = schedule(left, recipe.steps, recipe.prompts_per_step, recipe.helpful_share, self.recipe.seed)
        draws = {key: recipe.group_size * n for key, n in Counter(map(id, dealt)).items()}
        draws |= {id(each): 2 for each in held}
        prompts = [each for each in everything if id(each) in draws]
        times = [draws[id(each)] for each in prompts]
        requests = [Asked(each.messages, times=n) for each, n in zip(prompts, times, strict=True)]
        yield replace(self._work(arm, BASE, base, recipe.sampling, requests), steps=recipe.steps)
        answer = self._output(base, BASE, recipe.sampling)
        yield self._judge_work(arm, "reward", prompts, answer, times, recipe.judge_k)

    def _evaluate(self, arm: str) -> Iterator[Work]:
        recipe, base = self.recipe.evaluate, self.recipe.base.model
        system = (Message(role="system", content=summary_view(self.policy)),) if ARMS[arm].summaries else ()
        prompts = [case.prompt for case in self.sets.cases]
        answer = self._output(base, BASE, recipe.sampling)
        draws = {
            arm: 1,
            "thinking": (len(CUTS) + len(recipe.arms) - 1) * recipe.thinking,
            "budgets": len(recipe.budgets),
            "worst_of": recipe.worst_of.k if recipe.worst_of else 0,
        }
        for stage, n in ((f"evaluate/{name}", n) for name, n in draws.items() if n):
            requests = [Asked((*system, *each.messages), times=n) for each in prompts]
            yield self._work(stage, BASE, base, recipe.sampling, requests)
            if self.world != BUILT_IN:
                yield self._judge_work(stage, "evaluate", prompts, answer, [n] * len(prompts), self.recipe.filter.k)


def judge_messages(
    recipe: Recipe, policy: Policy, judge: JudgeModel, prompt: Prompt, reasoned: bool
) -> tuple[Message, ...]:
    """What a judge reads of a prompt, the sample left out; `reasoned`: it is shown reasoning, too."""
    templates = Templates.load(judge.templates or recipe.templates)
    view = spec_view(policy, prompt.categories) if prompt.categories else None
    request = FilterRequest(prompt, "", "", view or "") if reasoned else RewardRequest(prompt, "", view)
    return Judge(None, templates, judge.sampling).messages(request, 0)  # type: ignore[arg-type]  # nothing is drawn


def keep_plan(run: "Run", speeds: Speeds) -> None:
    """Write plan.json into a run that has none yet, to be compared with what it takes."""
    if not (run.root / FILE).exists():
        write_json(run.root / FILE, plan(run.recipe, run.policy, run.sets, speeds, run.world).as_json())


def compare_with_plan(run: "Run") -> list[dict[str, Any]]:
    """Planned beside actual, a row for each stage: {stage, calls, output, dollars, hours}, each (planned, actual).

    Calls are optimizer steps where a stage only trains; [] for a run that was begun without a plan. None stands for
    what is not known: no price, a stage that has not finished, tokens of a local judge.
    """
    if not (run.root / FILE).exists():
        return []
    planned: dict[str, dict[str, float | None]] = {}
    for row in read_json(run.root / FILE, "delete it; it is not needed")["stages"]:
        new = {key: row[key] for key in FIGURES} | {"calls": row["calls"] or row["steps"]}
        before = planned.setdefault(row["stage"], dict.fromkeys(FIGURES, 0))
        planned[row["stage"]] = {key: _sum(before[key], new[key]) for key in FIGURES}
    rows = []
    for stage in [*planned, *(each for each in run.calls.stages if each not in planned)]:
        expected, actual = planned.get(stage, dict.fromkeys(FIGURES)), _actual(run, stage)
        rows.append({"stage": stage, **{key: (expected[key], actual[key]) for key in FIGURES}})
    return rows


FIGURES = ("calls", "output", "dollars", "hours")


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def _actual(run: "Run", stage: str) -> dict[str, float | None]:
    """What a finished stage took, and what remote calls it has made so far."""
    taken: dict[str, float | None] = dict.fromkeys(FIGURES)
    if account := run.calls.stages.get(stage):
        taken["calls"] = sum(account.requests.values())
        taken["output"] = sum(usage.output for usage in account.usage.values())
        taken["dollars"] = account.dollars(read_prices(run.recipe.price_list))
    manifest = read_manifest(run.root / stage)
    if manifest is None:
        return taken
    counts, arm = manifest["counts"], ARMS.get(stage)
    if stage in ("documents", "helpful", "generate"):
        files = ("samples.jsonl",) if stage == "generate" else ("samples.jsonl", "rejected.jsonl")
        rows = [row for file in files for row in read_rows(run.root / stage / file)]
        taken |= {"calls": len(rows), "output": sum(row["usage"]["output"] for row in rows)}
    elif stage == "filter":
        taken["calls"] = counts["readings"]
    elif stage.startswith("evaluate/"):
        readings = 0 if run.world == BUILT_IN else (counts["samples"] - counts["empty"]) * run.recipe.filter.k
        taken["calls"] = counts["samples"] + readings
    elif arm and arm.stage == "rl":
        steps = read_rows(run.root / stage / "metrics.jsonl")
        taken["calls"] = counts["rows"] + counts["judged"] * run.recipe.rl.judge_k
        taken["output"] = round(sum(row["rows"] * row["length"] for row in steps))
    elif arm:
        taken["calls"] = manifest["outputs"]["metrics.jsonl"]["rows"]
    taken["hours"] = manifest["seconds"] / 3600
    return taken
