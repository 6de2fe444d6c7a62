"""Whether anything can come of a run, found out in minutes: by its models' files, and by eight probes a role.

    deliberant doctor RECIPE

A run that passed is not examined again, and the built-in world is known to work.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from deliberant.models.checkpoint import model_folder
from deliberant.models.cost import Speed, remember_speeds
from deliberant.models.preflight import Checkpoint, Finding, disk, memory
from deliberant.models.refs import parse_reference
from deliberant.prompts.types import Prompt
from deliberant.run.arms import ARMS, BASE
from deliberant.run.roles import JudgeModel, Model
from deliberant.run.settings import BUILT_IN
from deliberant.stages.generate import writer_messages
from deliberant.stages.plan import judge_messages, stages_to_do
from deliberant.stages.probes import PROBES, Checkup, Sample, probe_judge, probe_writer
from deliberant.util.errors import DeliberantError
from deliberant.util.files import fingerprint, read_json, write_json

if TYPE_CHECKING:
    from deliberant.models.remote import RemoteSampler
    from deliberant.run.run import Run

FILE = "doctor.json"
REMEDY = "delete it, and the run is examined anew"


def doctor(run: "Run", tell: Callable[[Finding], None] = lambda finding: None) -> Checkup:
    """Examine the models of a run, and `tell` what was found after each. Speeds are kept for plans.

    What costs nothing comes first: keys and servers, then files. A run that passes remembers it in doctor.json.
    """
    checkup, told = Checkup(), 0

    def tell_new() -> None:
        nonlocal told
        for finding in checkup.findings[told:]:
            tell(finding)
        told = len(checkup.findings)

    stages = stages_to_do(run.recipe, run.sft_prompts())
    writers, judges = _writers(run, stages), _judges(run, stages)
    run.calls.stage = "doctor"
    roles = [*writers, *(role for roles in judges for role in roles)]
    check_remote(run, roles, checkup)
    if not checkup.stops:
        _read_files(run, roles, stages, checkup)
    tell_new()
    if checkup.stops:
        return checkup
    samples: list[Sample] = []
    for role, covered in writers.items():
        with run.progress(f"probe {role}", PROBES) as bar:
            samples += probe_writer(run, role, covered, checkup)
            bar.advance(PROBES)
        tell_new()
    for group in judges:
        with run.progress(f"probe {group[0]}", PROBES) as bar:
            probe_judge(run, group, samples, checkup)
            bar.advance(PROBES)
        tell_new()
    if checkup.speeds:
        remember_speeds(checkup.speeds)
    if not checkup.stops:
        write_json(run.root / FILE, checkup.as_json())
    return checkup


def check_remote(run: "Run", roles: Sequence[str], checkup: Checkup) -> None:
    """What speaks against asking remote models at all: a key, a package or a model that is missing, nobody there."""
    first_role = {run.models[role].model: role for role in reversed(roles)}
    for model, role in first_role.items():
        if parse_reference(model).remote:
            try:
                cast("RemoteSampler", run.sampler(role)).check()
            except DeliberantError as error:
                checkup.add("stop", role, str(error))


def has_passed(run: "Run") -> bool:
    """Whether a run need not be examined: it was, or it is the built-in world, whose model is known."""
    if run.world == BUILT_IN and {each.model for each in run.models.values()} == {BUILT_IN}:
        return True
    file = run.root / FILE
    return file.exists() and bool(read_json(file, REMEDY).get("passed"))


def speeds_of(run: "Run") -> dict[str, dict[str, Speed]]:
    """Model -> role -> the speed that was measured before the run."""
    file = run.root / FILE
    speeds: dict[str, dict[str, Speed]] = {}
    for row in read_json(file, REMEDY)["speeds"] if file.exists() else []:
        speeds.setdefault(row["model"], {})[row["role"]] = Speed(row["output"], row["per_second"])
    return speeds


def _writers(run: "Run", stages: Sequence[str]) -> dict[str, bool]:
    """Role -> whether it writes with the policy in view."""
    writes, apart = "generate" in stages, run.recipe.writer is not None
    return {BASE: writes and not apart} | ({"writer": True} if writes and apart else {})


def _judges(run: "Run", stages: Sequence[str]) -> list[list[str]]:
    """The judges that the stages need, those that are one model with one set of settings together."""
    needed = {
        "filter": "filter" in stages,
        "reward": any(ARMS[stage].stage == "rl" for stage in stages if stage in ARMS),
        "evaluate": run.world != BUILT_IN,
    }
    groups: dict[str, list[str]] = {}
    for role in (role for role, is_needed in needed.items() if is_needed):
        groups.setdefault(fingerprint(run.models[role]), []).append(role)
    return list(groups.values())


def _read_files(run: "Run", roles: Sequence[str], stages: Sequence[str], checkup: Checkup) -> None:
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
            checkup.add("stop", role, str(error))
            continue
        if all(checkpoint.folder != each.folder for each in local.values()):
            checkup.findings += checkpoint.findings(role)
        local[role] = checkpoint
    if checkup.stops or not local:
        return
    longest = max(_context(run, role, checkpoint, "generate" in stages, checkup) for role, checkpoint in local.items())
    trained = [stage for stage in stages if stage in ARMS] if BASE in local else []
    checkup.findings.append(memory(local, BASE if trained else None, longest))
    if trained:
        checkup.findings.append(disk(local[BASE], len(trained), run.root))


def _context(run: "Run", role: str, checkpoint: Checkpoint, covered: bool, checkup: Checkup) -> int:
    """The positions that the longest request takes; where the model has fewer, that is a finding."""
    recipe, model = run.recipe, run.models[role]
    prompts = run.rl_prompts() if role == "reward" else run.sft_prompts()
    by_length = sorted((each for each in prompts if each.categories and covered), key=_letters)
    longest = {each.categories: each for each in by_length}.values()
    new, sample, key, setting = recipe.generate.max_new_tokens, 0, role, "generate.max_new_tokens"
    if isinstance(model, JudgeModel):
        requests = [judge_messages(recipe, run.policy, model, each, reasoned=role == "filter") for each in longest]
        new, sample, key = model.max_new_tokens, new, f"judge.{role}"
        setting = f"{key}.max_new_tokens"
    else:
        requests = [writer_messages(each, 0, run.policy, run.templates, model.reasoning) for each in longest]
    read = max(map(checkpoint.tokens, requests), default=0)
    needed = read + new + sample
    limit = checkpoint.positions or needed
    if needed <= limit:
        return needed
    remedy = f"lower {setting}, shorten the policy, or name a {key}.model with a longer context"
    what = f"{read:,} tokens of its longest request, policy included, and {new:,} new ones ({setting})"
    if read + new > limit:
        checkup.add("stop", role, f"{what} are {read + new - limit:,} over its {limit:,} positions", remedy)
    else:
        message = f"{what} leave {limit - read - new:,} of its {limit:,} positions for a sample of up to {sample:,}"
        checkup.add("warn", role, message, remedy)
    return limit


def _letters(prompt: Prompt) -> int:
    return sum(len(turn["content"]) for turn in prompt.messages)
