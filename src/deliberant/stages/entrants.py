"""Who takes part in a comparison: runs, their arms, any model reference, and logs that Inspect wrote elsewhere.

RUN              every evaluated arm of a run folder
RUN:ARM          one of them
REFERENCE        any model reference: a checkpoint's folder, hf:…, vllm:…, api:provider/model
REFERENCE+spec   the same, shown the policy's summaries as base+spec is
LOG.eval         the answers in an Inspect log; nothing is drawn
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deliberant.evals.scoring import add_summaries
from deliberant.models.open import open_model
from deliberant.models.refs import identify, parse_reference
from deliberant.models.types import Completion, Sampler, Sampling
from deliberant.policy import Policy, summary_view
from deliberant.prompts.types import Message
from deliberant.run.arms import ARMS
from deliberant.run.folder import read_manifest
from deliberant.run.run import NOTE, Run
from deliberant.stages.answers import messages_for_arm, read_samples
from deliberant.util.errors import UserError
from deliberant.util.files import file_hash, fingerprint
from deliberant.util.names import find_repeated, suggest_name

SPEC = "+spec"
Given = Callable[[Sequence[Message]], Sequence[Message]]
Open = Callable[[], tuple[Sampler, Given]]


@dataclass(frozen=True)
class Entrant:
    """One row of the comparison. `identity` names what it says; `price` is its name in a list of prices.

    `said`: what it has answered already, by what it was asked (`asking`). `open` gives its sampler and what that is
    shown of a conversation; None for a log, which answers nothing else.
    """

    name: str
    identity: str
    open: Open | None
    said: Mapping[str, Completion] = field(default_factory=dict)
    price: str | None = None


def user_text(turns: Iterable[Message]) -> str:
    """The key by which a conversation is recognised, whoever kept it: its user turns, white space aside."""
    return "\n".join(" ".join(turn["content"].split()) for turn in turns if turn["role"] == "user")


def find_entrants(
    words: Sequence[str],
    runs: Mapping[str, Run],
    policy: Policy | None,
    sampling: Sampling,
    date: str,
    options: Mapping[str, Any],
) -> list[Entrant]:
    """Those that the words name, in order. `runs` holds the opened run of each word that names one (`runs_in`).

    `options` are for models that are called (`RemoteSampler`). UserError: no such arm, run, model or log; a name twice.
    """
    several = len({id(run) for run in runs.values()}) > 1
    members: list[Entrant] = []
    for word in words:
        if word in runs:
            members += _arms(runs[word], _arm(word), several, sampling)
        elif word.endswith(".eval"):
            members.append(_log(Path(word)))
        else:
            members.append(_model(word, policy, date, options))
    if (twice := find_repeated(each.name for each in members)) is not None:
        raise UserError(f"'{twice}' takes part twice; name it once")
    return members


def open_runs(words: Sequence[str]) -> dict[str, Run]:
    """The run of each word that names a run folder, or an arm of one; each folder is opened once."""
    folders = {word: Path(word.rpartition(":")[0] if _arm(word) else word) for word in words}
    opened = {folder: Run.reopen(folder) for folder in {*folders.values()} if (folder / NOTE).exists()}
    return {word: opened[folder] for word, folder in folders.items() if folder in opened}


def _arm(word: str) -> str | None:
    """ARM of RUN:ARM."""
    folder, _, arm = word.rpartition(":")
    return arm if folder and (Path(folder) / NOTE).exists() else None


def _arms(run: Run, arm: str | None, several: bool, sampling: Sampling) -> list[Entrant]:
    """Answers of the evaluation count where they were sampled the same way."""
    known = [name for name in ARMS if read_manifest(run.root / "evaluate" / name)]
    if arm is not None and arm not in ARMS:
        raise UserError(f"{run.root}: has no arm '{arm}'; {suggest_name(arm, known)}")
    if not (arm or known):
        raise UserError(f"{run.root}: no arm has been evaluated; run `deliberant evaluate {run.root}` first")
    members = []
    for name in [arm] if arm else known:
        weights = run.manifest(name)["key"] if ARMS[name].stage else run.identities["base"]
        said = {}
        if sampling == run.recipe.evaluate.sampling and name in known:
            for each in read_samples(run.root, name):
                parts = (each.reasoning, each.answer, each.complete, each.stop, each.usage)
                said[user_text(each.case.prompt.messages)] = Completion("", *parts)  # type: ignore[arg-type]
        title = f"{run.root.name}:{name}" if several else name
        members.append(Entrant(title, fingerprint([run.hash, name, weights]), partial(_open_arm, run, name), said))
    return members


def _open_arm(run: Run, arm: str) -> tuple[Sampler, Given]:
    sampler = run.sampler(arm)
    return sampler, partial(messages_for_arm, run, arm, sampler.reasoning)


def _model(word: str, policy: Policy | None, date: str, options: Mapping[str, Any]) -> Entrant:
    shown = word.endswith(SPEC)
    reference = parse_reference(word.removesuffix(SPEC) if shown else word)
    if shown and policy is None:
        raise UserError(f"'{word}': there is no policy to show it; give --policy")
    summaries = summary_view(policy) if shown and policy else None
    identity = identify(reference, date)

    def opened() -> tuple[Sampler, Given]:
        # a writer's text without a reasoning block is its answer: foreign models need not write one
        sampler = open_model(reference, "writer", identity=identity, **(options if reference.remote else {}))
        return sampler, partial(add_summaries, summaries=summaries)

    name = Path(word).name if reference.kind == "folder" else word
    return Entrant(name, fingerprint([identity, summaries]), opened, price=reference.name if reference.remote else None)


def _log(path: Path) -> Entrant:
    from inspect_ai.log import read_eval_log

    from deliberant.evals.provider import messages_of, read_output

    if not path.is_file():
        raise UserError(f"{path}: there is no such log; give the path of an .eval file")
    try:
        log = read_eval_log(str(path))
    except (ValueError, OSError, KeyError) as error:
        raise UserError(f"{path}: is not a log that Inspect can read ({error})") from error
    said = {}
    for sample in log.samples or ():
        told = sample.input
        turns = (Message(role="user", content=told),) if isinstance(told, str) else messages_of(told)
        said[user_text(turns)] = read_output(sample.output)
    if not said:
        raise UserError(f"{path}: holds no sample; give a log of a finished evaluation")
    return Entrant(f"{log.eval.model} ({path.stem[:40]})", file_hash(path), None, said)
