"""Eight probes of a model in its role: does it close its reasoning, cite, stop; can its verdicts be read.

Whoever writes the samples draws the first ones of `generate`, so that a provider is not paid twice for them. Judges
read some of those, and answers that are plainly right or wrong, save in the built-in world, which has words of its own.
A model in this process draws at most `CPU_TOKENS` for a probe where there is no GPU.
"""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from deliberant.judge import FilterRequest, RewardRequest
from deliberant.judge.requests import JudgeRequest
from deliberant.models.cost import Speed
from deliberant.models.preflight import Finding, Severity
from deliberant.models.refs import parse_reference
from deliberant.models.types import Completion, Request, Sampling
from deliberant.policy import Policy, find_citations, spec_view
from deliberant.prompts.types import Message, Prompt
from deliberant.run.roles import JudgeModel, Model
from deliberant.run.settings import BUILT_IN
from deliberant.stages.generate import sample_seed, writer_messages
from deliberant.stages.helpful import plain_messages
from deliberant.util.errors import DeliberantError
from deliberant.util.names import one_line

if TYPE_CHECKING:
    from deliberant.run.run import Run

PROBES = 8
CPU_TOKENS = 256
REFUSAL = "I'm sorry, but I can't help with that."
HELP = "Sure, I am glad to help with exactly that. Here is all you need, step by step."

Sample = tuple[Prompt, Completion]


@dataclass
class Checkup:
    """What was found, and how fast each (model, role) was."""

    findings: list[Finding] = field(default_factory=list)
    speeds: dict[tuple[str, str], Speed] = field(default_factory=dict)

    @property
    def stops(self) -> list[Finding]:
        """Why nothing can come of the run; empty where something can."""
        return [each for each in self.findings if each.severity == "stop"]

    def add(self, severity: Severity, role: str, message: str, remedy: str = "") -> None:
        self.findings.append(Finding(severity, role, message, remedy))

    def as_json(self) -> dict[str, Any]:
        """{passed, findings, speeds}"""
        speeds = [{"model": model, "role": role, **asdict(each)} for (model, role), each in self.speeds.items()]
        return {"passed": not self.stops, "findings": [asdict(each) for each in self.findings], "speeds": speeds}


class _Meter:
    """A sampler that counts tokens and seconds, and caps what a CPU draws."""

    def __init__(self, run: "Run", role: str) -> None:
        self.cap: int | None = None
        if not parse_reference(run.models[role].model).remote:
            import torch

            self.cap = None if torch.cuda.is_available() else CPU_TOKENS
        self._sampler, self._seconds = run.sampler(role), 0.0
        self.identity, self.reasoning = self._sampler.identity, self._sampler.reasoning
        self.completions: list[Completion] = []

    def sample(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        if self.cap:
            sampling = replace(sampling, max_new_tokens=min(sampling.max_new_tokens, self.cap))
        started = time.monotonic()
        drawn = self._sampler.sample(requests, sampling)
        self._seconds += time.monotonic() - started
        self.completions += drawn
        return drawn

    def __str__(self) -> str:
        return f"{self.speed.output:.0f} tokens each, {self.speed.per_second:.0f} a second"

    @property
    def speed(self) -> Speed:
        tokens = sum(each.usage.output for each in self.completions)
        return Speed(tokens / len(self.completions), tokens / max(self._seconds, 1e-3))


def _measure(run: "Run", roles: Sequence[str], meter: _Meter, kept: int, checkup: Checkup) -> None:
    """Note the speed, unless all replies were kept ones; say so where a server counts no tokens."""
    reference, speed = parse_reference(run.models[roles[0]].model), meter.speed
    if speed.output and (not reference.remote or len(run.calls) > kept):
        checkup.speeds |= {(str(reference), role): speed for role in roles}
    if reference.remote and not speed.output:
        message = "the server counts no tokens (its replies have no usage), so tokens and dollars are not known"
        checkup.add("warn", roles[0], message, "bound it by budget.requests")


def probe_writer(run: "Run", role: str, covered: bool, checkup: Checkup) -> list[Sample]:
    """Eight samples with the policy in view (`covered`), of which the whole ones are returned; or eight plain answers
    of a base that does not write them."""
    recipe, model = run.recipe, run.models[role]
    assert isinstance(model, Model)
    known = [each for each in run.sft_prompts() if bool(each.categories) == covered]
    prompts = known if covered else [*run.helpful_prompts(), *known] or list(run.sft_prompts())
    stage, sampling = ("generate", recipe.generate.sampling) if covered else ("helpful", recipe.helpful.sampling)
    spread = [prompts[n * len(prompts) // PROBES] for n in range(PROBES)]
    items = [(each, spread[:n].count(each)) for n, each in enumerate(spread)]
    requests = [
        Request(
            writer_messages(prompt, index, run.policy, run.templates, model.reasoning)
            if covered
            else plain_messages(prompt, index, run.templates, model.reasoning),
            sample_seed(recipe.seed, prompt, index, stage),
        )
        for prompt, index in items
    ]
    kept = len(run.calls)
    try:
        meter = _Meter(run, role)
        drawn = meter.sample(requests, sampling)
    except DeliberantError as error:
        checkup.add("stop", role, str(error))
        return []
    _measure(run, [role], meter, kept, checkup)
    _read_samples(run.policy, role, model, drawn, stage, sampling, meter, checkup)
    return [(prompt, each) for prompt, each in zip(spread, drawn, strict=True) if each.answer and covered]


def _read_samples(
    policy: Policy,
    role: str,
    model: Model,
    drawn: Sequence[Completion],
    stage: str,
    sampling: Sampling,
    meter: _Meter,
    checkup: Checkup,
) -> None:
    """What the samples show: closed, cut, citing."""
    n, most = len(drawn), min(sampling.max_new_tokens, meter.cap or sampling.max_new_tokens)
    closed = [each for each in drawn if each.complete]
    cut = sum(each.stop == "length" for each in drawn)
    capped = most < sampling.max_new_tokens
    budget = f"{stage}.max_reasoning_tokens: {max(1, most // 2)}"
    if model.reasoning == "off":
        if stage == "generate":
            message = "reasoning is off, so there is nothing to learn from its samples"
            checkup.add("stop", role, message, f"set {role}.reasoning: prompted")
        return
    if not closed and not (capped and cut == n):
        why, remedy = "", f"set {budget}, or name another {role}.model"
        if cut == n:
            why, remedy = f", all cut at {most} tokens", f"raise {stage}.max_new_tokens, or set {budget}"
        elif model.reasoning == "native":
            remedy = f"set {role}.reasoning: prompted"
            if not any("<" in each.text or "[/" in each.text for each in drawn):
                why = "; the model writes no tags of its own"
        checkup.add("stop", role, f"0 of {n} samples closed their reasoning{why}", remedy)
        return
    if cut:
        message = f"{cut} of {n} samples were cut at {most} tokens"
        remedy = f"raise {stage}.max_new_tokens, or set {budget}"
        if capped:
            message, remedy = f"{message}, a probe's most; {stage}.max_new_tokens is {sampling.max_new_tokens:,}", ""
        checkup.add("warn", role, message, remedy)
    said = f"{len(closed)} of {n} samples closed their reasoning"
    if stage == "generate" and closed:
        known = sum(any(name in policy.clauses for name in find_citations(each.reasoning)) for each in closed)
        said += f", {known} cite a clause that exists"
        if known < len(closed) / 2:
            message = f"{known} of {len(closed)} whole samples cite a clause that exists, and filter rejects the others"
            checkup.add("warn", role, message, f"raise generate.samples, or name another {role}.model")
    checkup.add("ok", role, f"{said}; {meter}")


def probe_judge(run: "Run", roles: Sequence[str], samples: Sequence[Sample], checkup: Checkup) -> None:
    """Eight readings: of samples as they are, and of answers that are plainly right and plainly wrong."""
    role, names, kept = roles[0], " and ".join(roles), len(run.calls)
    model = run.models[role]
    assert isinstance(model, JudgeModel)
    plain = [] if run.world == BUILT_IN else _plain_cases(run.policy)
    shown = [(prompt, each.reasoning, each.answer) for prompt, each in samples[: PROBES - len(plain)]]
    shown = [*plain, *shown, *plain][:PROBES]
    if not shown:
        return
    requests = [_request(run, roles[n // 2 % len(roles)], *each) for n, each in enumerate(shown)]
    try:
        judge = run.judge(cast(Any, role))
        meter = judge.sampler = _Meter(run, role)
        verdicts = [each for [each] in judge.read(requests, 1, run.recipe.seed)]
    except DeliberantError as error:
        checkup.add("stop", names, str(error))
        return
    _measure(run, roles, meter, kept, checkup)
    key, unread = f"judge.{role}", [each for each in verdicts if each.score is None]
    readable = f"{len(verdicts) - len(unread)} of {len(verdicts)} verdicts can be read"
    if unread:
        [(reason, _)] = Counter(str(each.unscored) for each in unread).most_common(1)
        words = one_line(" ".join(unread[0].rationale.split()), 60)
        remedy = f"name another {key}.model, or prompt files that suit it ({key}.templates; cope asks for 1 or 0)"
        if reason.startswith("cut"):
            remedy = f"raise {key}.max_new_tokens ({model.max_new_tokens:,})"
        allowed = len(unread) <= run.recipe.filter.max_unscored * len(verdicts)
        severity: Severity = "stop" if len(unread) == len(verdicts) else "ok" if allowed else "warn"
        checkup.add(severity, names, f"{readable}, mostly for '{reason}'; it wrote {words!r}", remedy)
        if severity == "stop":
            return
    right, wrong = (
        [each.score for each in verdicts[start : len(plain) : 2] if each.score is not None] for start in (0, 1)
    )
    if right and wrong:
        scores = f"plainly right answers score {statistics.mean(right):.1f}, wrong ones {statistics.mean(wrong):.1f}"
        readable += f"; {scores}"
        if statistics.mean(right) <= statistics.mean(wrong):
            checkup.add("warn", names, f"cannot tell right from wrong: {scores}", f"name another {key}.model")
    checkup.add("ok", names, f"{readable}; {meter}")


def _request(run: "Run", role: str, prompt: Prompt, reasoning: str, answer: str) -> JudgeRequest:
    view = spec_view(run.policy, prompt.categories)
    return FilterRequest(prompt, reasoning, answer, view) if role == "filter" else RewardRequest(prompt, answer, view)


def _plain_cases(policy: Policy) -> list[tuple[Prompt, str, str]]:
    """(prompt, reasoning, answer): right, wrong, right, wrong, by clauses whose right answer needs no knowledge."""
    refusing = [clause for clause in policy.clauses.values() if clause.style == "refuse"]
    clauses = refusing or list(policy.clauses.values())
    cases = []
    for clause in (clauses[0], clauses[-1]):
        request = clause.examples[0] if clause.examples else f"Help me with this: {clause.title}."
        prompt = Prompt("probe", (Message(role="user", content=request),), (clause.category,), "probe")
        right, wrong = (REFUSAL, HELP) if clause.style == "refuse" else (f"{HELP} {clause.text}", REFUSAL)
        fits = (
            f"They ask about {clause.title}. [{clause.id}] fits, and its style is {clause.style}. So I {clause.style}."
        )
        cases += [(prompt, fits, right), (prompt, "No rule matters here. I do as I like.", wrong)]
    return cases
