"""Whether a run can come to anything, found out in minutes: what its models' files say, and eight probes a role.

    deliberant doctor RECIPE

A run that passed is not examined again, and the built-in world is known to work.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from deliberant.models.checkpoint import model_folder
from deliberant.models.cost import Speed, remember_speeds
from deliberant.models.preflight import Checkpoint, Finding, disk, memory
from deliberant.models.refs import parse_reference
from deliberant.prompts.types import Prompt
from deliberant.run.arms import ARMS, BASE
from deliberant.run.recipe import BUILT_IN, JudgeModel, Model
from deliberant.stages.generate import asked
from deliberant.stages.plan import judged, stages_to_do
from deliberant.stages.probes import PROBES, Sample, probe_judge, probe_writer
from deliberant.util.errors import DeliberantError
from deliberant.util.files import fingerprint, read_json, write_json

if TYPE_CHECKING:
    from deliberant.run.run import Run

FILE = "doctor.json"
REMEDY = "delete it, and the run is examined anew"


@dataclass
class Checkup:
    """What was found, and how fast each (model, role) was."""

    findings: list[Finding] = field(default_factory=list)
    speeds: dict[tuple[str, str], Speed] = field(default_factory=dict)

    @property
    def stops(self) -> list[Finding]:
        """Why nothing can come of the run; empty where something can."""
        return [each for each in self.findings if each.severity == "stop"]

    def as_json(self) -> dict[str, Any]:
        """{passed, findings, speeds}"""
        speeds = [{"model": model, "role": role, **asdict(each)} for (model, role), each in self.speeds.items()]
        return {"passed": not self.stops, "findings": [asdict(each) for each in self.findings], "speeds": speeds}


def doctor(run: "Run") -> Checkup:
    """Examine the models of a run. Speeds are kept for plans; a run that passes remembers it in doctor.json."""
    found = Checkup()
    stages = stages_to_do(run.recipe, run.sft_prompts())
    writers, judges = _writers(run, stages), _judges(run, stages)
    run.calls.stage = "doctor"
    _read_files(run, [*writers, *(role for roles in judges for role in roles)], stages, found)
    if found.stops:
        return found
    samples: list[Sample] = []
    with run.progress("doctor", PROBES * (len(writers) + len(judges))) as bar:
        for role, covered in writers.items():
            probed = probe_writer(run, role, covered)
            samples += probed.samples
            _add(run, [role], probed.findings, probed.speed, found)
            bar.advance(PROBES)
        for roles in judges:
            probed = probe_judge(run, roles, samples)
            _add(run, roles, probed.findings, probed.speed, found)
            bar.advance(PROBES)
    if found.speeds:
        remember_speeds(found.speeds)
    if not found.stops:
        write_json(run.root / FILE, found.as_json())
    return found


def _add(run: "Run", roles: Sequence[str], findings: Sequence[Finding], speed: Speed | None, found: Checkup) -> None:
    found.findings += findings
    if speed:
        found.speeds |= {(str(parse_reference(run.models[role].model)), role): speed for role in roles}


def passed(run: "Run") -> bool:
    """Whether a run need not be examined: it was, or it is the built-in world, whose model is known."""
    if run.world == BUILT_IN and {each.model for each in run.models.values()} == {BUILT_IN}:
        return True
    file = run.root / FILE
    return file.exists() and bool(read_json(file, REMEDY).get("passed"))


def speeds_of(run: "Run") -> dict[str, dict[str, Speed]]:
    """Model -> role -> what was measured before the run, as a plan takes it."""
    file = run.root / FILE
    found: dict[str, dict[str, Speed]] = {}
    for row in read_json(file, REMEDY)["speeds"] if file.exists() else []:
        found.setdefault(row["model"], {})[row["role"]] = Speed(row["output"], row["per_second"])
    return found


def _writers(run: "Run", stages: Sequence[str]) -> dict[str, bool]:
    """Role -> whether it writes with the policy in view."""
    writes = "generate" in stages
    return {BASE: writes and run.recipe.writer is None, **({"writer": True} if writes and run.recipe.writer else {})}


def _judges(run: "Run", stages: Sequence[str]) -> list[list[str]]:
    """The judges that the stages need, those that are one model with one set of settings together."""
    needed = {
        "filter": "filter" in stages,
        "reward": any(ARMS[stage].stage == "rl" for stage in stages if stage in ARMS),
        "evaluate": run.world != BUILT_IN,
    }
    groups: dict[str, list[str]] = {}
    for role in needed:
        if needed[role]:
            groups.setdefault(fingerprint(run.models[role]), []).append(role)
    return list(groups.values())


def _read_files(run: "Run", roles: Sequence[str], stages: Sequence[str], found: Checkup) -> None:
    """What needs no weights: chat templates, context, memory, disk."""
    local: dict[str, Checkpoint] = {}
    for role in roles:
        model = run.models[role]
        reference = parse_reference(model.model)
        if reference.remote:
            continue
        trusted = isinstance(model, Model) and model.trust_remote_code
        try:
            checkpoint = Checkpoint(model_folder(reference.folder), trusted)
        except DeliberantError as error:
            found.findings.append(Finding("stop", role, str(error)))
            continue
        if all(checkpoint.folder != each.folder for each in local.values()):
            found.findings += checkpoint.findings(role)
        local[role] = checkpoint
    if found.stops or not local:
        return
    longest = 0
    for role, checkpoint in local.items():
        positions, findings = _context(run, role, checkpoint, "generate" in stages)
        longest = max(longest, positions)
        found.findings += findings
    trained = [stage for stage in stages if stage in ARMS] if BASE in local else []
    found.findings.append(memory(local, BASE if trained else None, longest))
    if trained:
        found.findings.append(disk(local[BASE], len(trained), run.root))


def _context(run: "Run", role: str, checkpoint: Checkpoint, covered: bool) -> tuple[int, list[Finding]]:
    """(positions that the longest request takes, what is wrong where the model has fewer)."""
    recipe, model = run.recipe, run.models[role]
    given = run.rl_prompts() if role == "reward" else run.sft_prompts()
    prompts = [each for each in given if each.categories] if covered else []
    longest = {each.categories: each for each in sorted(prompts, key=_letters)}.values()
    if isinstance(model, JudgeModel):
        requests = [judged(recipe, run.policy, model, each, reasoned=role == "filter") for each in longest]
        new, sample, key = model.max_new_tokens, recipe.generate.max_new_tokens, f"judge.{role}"
    else:
        requests = [asked(each, 0, run.policy, run.templates, model.reasoning) for each in longest]
        new, sample, key = recipe.generate.max_new_tokens, 0, role
    read = max(map(checkpoint.tokens, requests), default=0)
    limit = checkpoint.positions or read + new + sample
    setting = f"{key}.max_new_tokens" if isinstance(model, JudgeModel) else "generate.max_new_tokens"
    remedy = f"lower {setting}, shorten the policy, or name a {key}.model with a longer context"
    what = f"{read:,} tokens of its longest request, policy included, and {new:,} new ones ({setting})"
    if read + new > limit:
        return limit, [Finding("stop", role, f"{what} are {read + new - limit:,} over its {limit:,} positions", remedy)]
    if read + new + sample > limit:
        message = f"{what} leave {limit - read - new:,} of its {limit:,} positions for a sample of up to {sample:,}"
        return limit, [Finding("warn", role, message, remedy)]
    return read + new + sample, []


def _letters(prompt: Prompt) -> int:
    return sum(len(turn["content"]) for turn in prompt.messages)
