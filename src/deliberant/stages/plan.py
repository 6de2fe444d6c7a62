"""What a run will take, stage by stage, before anything is loaded or spent; and afterwards, what it took.

    deliberant plan RECIPE
    deliberant plan RUN

Every sample counts as kept and every reading as made once, so figures are upper bounds. Completions have the length
that `deliberant doctor` measured, else the most that the recipe allows. An incremental run takes less than this says.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from deliberant.evals.thinking import CUTS
from deliberant.judge import FilterRequest, Judge, RewardRequest
from deliberant.models.budget import read_prices
from deliberant.models.cost import Asked, Speed, Work, counter, work
from deliberant.models.refs import parse_reference
from deliberant.models.types import Sampling, Usage
from deliberant.policy import Policy, spec_view, summary_view
from deliberant.prompts.types import Message, Prompt
from deliberant.run.arms import ARMS, BASE
from deliberant.run.folder import read_manifest
from deliberant.run.recipe import BUILT_IN, JudgeModel, Recipe
from deliberant.run.run import stages_of
from deliberant.run.schedule import schedule, set_aside
from deliberant.run.sources import PromptSets, document_prompts
from deliberant.stages.documents import asked_about
from deliberant.stages.generate import asked
from deliberant.stages.helpful import asked_plainly
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
    """The stages of a recipe in order; where no arm is trained it is there for its data."""
    stages = stages_of(recipe.evaluate.arms)
    if "generate" not in stages and any(prompt.categories for prompt in train):
        return list(dict.fromkeys((*DATA, *stages)))
    return stages


def plan(recipe: Recipe, policy: Policy, sets: PromptSets, speeds: Speeds, world: str | None = None) -> Plan:
    """The plan of a recipe with its policy and prompts. `world`: the built-in one's name, where it made them.

    UserError for what makes the work impossible, such as too few prompts.
    """
    works = list(_Works(recipe, policy, sets, speeds, world or str(recipe.prompts)).all())
    models = {each.model: parse_reference(each.model) for each in works}
    ways = {model: counter(reference)[1] for model, reference in models.items()}
    notes = [f"tokens of {model}: counted as {way}" for model, way in ways.items()]
    unmeasured = sorted({each.model for each in works if each.hours is None and not each.steps})
    if unmeasured:
        notes.append(f"not measured yet: {', '.join(unmeasured)}; completions count as long as the recipe allows")
    unpriced = [model for model, reference in models.items() if reference.kind == "api" and not _priced(works, model)]
    notes += [f"no price of {model} in {recipe.price_list.name}" for model in unpriced]
    return Plan(works, notes)


def _priced(works: Sequence[Work], model: str) -> bool:
    return any(each.dollars is not None for each in works if each.model == model)


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
            elif stage in (*DATA, "documents"):
                yield from getattr(self, f"_{stage}")()
            elif arm:
                yield from self._sft(stage) if arm.stage == "sft" else self._rl(stage)

    def _speed(self, model: str, role: str) -> Speed | None:
        """As a role, else as the base: an arm that is trained is as fast."""
        found = self.speeds.get(str(parse_reference(model)), {})
        return found.get(role) or found.get(BASE)

    def _output(self, model: str, role: str, sampling: Sampling) -> float:
        speed = self._speed(model, role)
        return min(speed.output, sampling.max_new_tokens) if speed else sampling.max_new_tokens

    def _work(self, stage: str, role: str, model: str, sampling: Sampling, asked: Sequence[Asked]) -> Work:
        prices = read_prices(self.recipe.price_list)
        output, speed = self._output(model, role, sampling), self._speed(model, role)
        return work(stage, role, parse_reference(model), asked, output, prices, speed)

    @property
    def _covered(self) -> list[Prompt]:
        return [prompt for prompt in self.sets.sft if prompt.categories]

    @property
    def _writer(self) -> tuple[str, str]:
        """(model, role) of whoever writes the samples."""
        writer = self.recipe.writer
        return (writer.model, "writer") if writer else (self.recipe.base.model, BASE)

    @property
    def _sample(self) -> int:
        """Tokens of one sample."""
        return round(self._output(*self._writer, self.recipe.generate.sampling))

    def _helpful(self) -> Iterator[Work]:
        base, recipe = self.recipe.base, self.recipe.helpful
        templates = Templates.load(self.recipe.templates)
        requests = [
            Asked(asked_plainly(each, 0, templates, base.reasoning), times=recipe.samples) for each in self.sets.helpful
        ]
        yield self._work("helpful", BASE, base.model, recipe.sampling, requests)

    def _generate(self) -> Iterator[Work]:
        recipe, writer = self.recipe.generate, self.recipe.writer or self.recipe.base
        templates = Templates.load(self.recipe.templates)
        requests = [
            Asked(asked(each, 0, self.policy, templates, writer.reasoning), times=recipe.samples)
            for each in self._covered
        ]
        model, role = self._writer
        yield self._work("generate", role, model, recipe.sampling, requests)

    def _documents(self) -> Iterator[Work]:
        recipe, writer = self.recipe.generate, self.recipe.writer or self.recipe.base
        templates = Templates.load(self.recipe.templates)
        requests = [
            Asked(asked_about(each, 0, self.policy, templates, self.world, writer.reasoning), times=recipe.samples)
            for each in document_prompts(self.world, self.policy, self.recipe.seed)
        ]
        model, role = self._writer
        yield self._work("documents", role, model, recipe.sampling, requests)

    def _filter(self) -> Iterator[Work]:
        judge, samples = self.recipe.judge.filter, self.recipe.generate.samples
        requests = [
            Asked(self._shown(judge, each, reasoned=True), self._sample, samples, self.recipe.filter.k)
            for each in self._covered
        ]
        yield self._work("filter", "filter", judge.model, judge.sampling, requests)

    def _shown(self, judge: JudgeModel, prompt: Prompt, reasoned: bool = False) -> tuple[Message, ...]:
        return judged(self.recipe, self.policy, judge, prompt, reasoned)

    def _sft(self, arm: str) -> Iterator[Work]:
        recipe, model = self.recipe.sft, self.recipe.base.model
        count, _ = counter(parse_reference(model))
        about = document_prompts(self.world, self.policy, self.recipe.seed) if ARMS[arm].documents else self._covered
        taught = [each for each in about for _ in range(self.recipe.generate.samples)]
        plain = [each for each in self.sets.helpful for _ in range(self.recipe.helpful.samples)]
        rows = [*taught, *plain[: round(recipe.helpful_ratio * len(taught))]]
        tokens = sum(count(turn["content"]) for each in rows for turn in each.messages) + self._sample * len(rows)
        steps = math.ceil(recipe.epochs * len(rows) / recipe.batch_size)
        yield Work(arm, BASE, str(parse_reference(model)), 0, Usage(tokens * recipe.epochs, 0), steps)

    def _rl(self, arm: str) -> Iterator[Work]:
        recipe, judge = self.recipe.rl, self.recipe.judge.reward
        assert judge, "the recipe was checked"
        everything = [*self.sets.rl, *self.sets.helpful]
        held, left = set_aside(everything, recipe, self.recipe.seed)
        dealt = schedule(left, recipe.steps, recipe.prompts_per_step, recipe.helpful_share, self.recipe.seed)
        draws = Counter({id(each): recipe.group_size * n for each, n in _counted(dealt)})
        draws.update({id(each): 2 for each in held})
        prompts = [each for each in everything if id(each) in draws]
        requests = [Asked(each.messages, times=draws[id(each)]) for each in prompts]
        drawn = self._work(arm, BASE, self.recipe.base.model, recipe.sampling, requests)
        yield Work(**{**vars(drawn), "steps": recipe.steps})
        answer = round(self._output(self.recipe.base.model, BASE, recipe.sampling))
        shown = [Asked(self._shown(judge, each), answer, draws[id(each)], recipe.judge_k) for each in prompts]
        yield self._work(arm, "reward", judge.model, judge.sampling, shown)

    def _evaluate(self, arm: str) -> Iterator[Work]:
        recipe, judge = self.recipe.evaluate, self.recipe.judge.evaluate
        system = (Message(role="system", content=summary_view(self.policy)),) if ARMS[arm].summaries else ()
        prompts = [case.prompt for case in self.sets.cases]
        base = self.recipe.base.model
        draws = {
            arm: 1,
            "thinking": (len(CUTS) + len(recipe.arms) - 1) * recipe.thinking,
            "budgets": len(recipe.budgets),
            "worst_of": recipe.worst_of.k if recipe.worst_of else 0,
        }
        for stage, times in ((f"evaluate/{name}", times) for name, times in draws.items() if times):
            asked = [Asked((*system, *each.messages), times=times) for each in prompts]
            yield self._work(stage, BASE, base, recipe.sampling, asked)
            if self.world != BUILT_IN:
                answer = round(self._output(base, BASE, recipe.sampling))
                shown = [Asked(self._shown(judge, each), answer, times, self.recipe.filter.k) for each in prompts]
                yield self._work(stage, "evaluate", judge.model, judge.sampling, shown)


def judged(recipe: Recipe, policy: Policy, judge: JudgeModel, prompt: Prompt, reasoned: bool) -> tuple[Message, ...]:
    """What a judge reads of a prompt, the sample left out; `reasoned`: it is shown reasoning, too."""
    templates = Templates.load(judge.templates or recipe.templates)
    view = spec_view(policy, prompt.categories) if prompt.categories else None
    request = FilterRequest(prompt, "", "", view or "") if reasoned else RewardRequest(prompt, "", view)
    return Judge(None, templates, judge.sampling).messages(request, 0)  # type: ignore[arg-type]  # nothing is drawn


def _counted(prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, int]]:
    by_id = {id(each): each for each in prompts}
    return ((by_id[key], n) for key, n in Counter(map(id, prompts)).items())


def keep_plan(run: "Run", speeds: Speeds) -> None:
    """Write plan.json into a run that has none yet, to be compared with what it takes."""
    if not (run.root / FILE).exists():
        write_json(run.root / FILE, plan(run.recipe, run.policy, run.sets, speeds, run.world).as_json())


def compared(run: "Run") -> list[dict[str, Any]]:
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
    found: dict[str, float | None] = dict.fromkeys(FIGURES)
    if account := run.calls.stages.get(stage):
        found["calls"] = sum(account.requests.values())
        found["output"] = sum(usage.output for usage in account.usage.values())
        found["dollars"] = account.dollars(read_prices(run.recipe.price_list))
    manifest = read_manifest(run.root / stage)
    if manifest is None:
        return found
    counts, arm = manifest["counts"], ARMS.get(stage)
    if stage in ("documents", "helpful", "generate"):
        files = ("samples.jsonl",) if stage == "generate" else ("samples.jsonl", "rejected.jsonl")
        rows = [row for file in files for row in read_rows(run.root / stage / file)]
        found |= {"calls": len(rows), "output": sum(row["usage"]["output"] for row in rows)}
    elif stage == "filter":
        found["calls"] = counts["readings"]
    elif stage.startswith("evaluate/"):
        readings = 0 if run.world == BUILT_IN else (counts["samples"] - counts["empty"]) * run.recipe.filter.k
        found["calls"] = counts["samples"] + readings
    elif arm and arm.stage == "rl":
        steps = read_rows(run.root / stage / "metrics.jsonl")
        found["calls"] = counts["rows"] + counts["judged"] * run.recipe.rl.judge_k
        found["output"] = round(sum(row["rows"] * row["length"] for row in steps))
    elif arm:
        found["calls"] = manifest["outputs"]["metrics.jsonl"]["rows"]
    found["hours"] = manifest["seconds"] / 3600
    return found
