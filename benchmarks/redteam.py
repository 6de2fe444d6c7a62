"""Whether a round of `redteam` closes what it found, on wordings of the same methods that nobody trained on.

    python -m benchmarks.redteam --run runs/micro-1a2b3c4d

A finished run of the built-in world is attacked on its training topics; what broke its sft+rl is trained on in an
incremental run (`more`, `from_run`). Both are then asked unseen topics: plainly, and under every attack that the base
can decode. Methods that broke the model are told apart by wordings that were trained on and those that were held out.
Everything is kept in --root; the same command resumes.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.results import complete, interval, markdown
from deliberant.evals.attacks.decoding import WORLD_FILE, can_decode, codes_of, readable
from deliberant.evals.attacks.static import Attack, attack_cases, world_attacks
from deliberant.evals.robustness import goodness_at, group_by_origin
from deliberant.evals.samples import ScoredSample, from_row, to_row
from deliberant.evals.scoring import ask_cases
from deliberant.evals.statistics import Estimate, Tally, difference, rate
from deliberant.models.open import open_model
from deliberant.prompts import Case
from deliberant.run.arms import BASE
from deliberant.run.run import Run
from deliberant.stages.redteam import Found, redteam
from deliberant.util.errors import UserError
from deliberant.util.files import read_rows, write_rows
from deliberant.util.journal import delete_journal, in_chunks
from deliberant.util.progress import NullProgress

ARM = "sft+rl"
ARMS = ("base", "sft", ARM)
SUITE = "unseen"
Chosen = Callable[[ScoredSample], bool]


def cases_of(run: Run, each: int, attacks: Sequence[Attack]) -> list[Case]:
    """All unseen cases plainly; of harmful and harmless ones the first `each` under every attack."""
    plain = [case for case in run.cases() if case.suite == SUITE]
    harmful = [case for case in plain if case.truth.style != "comply"][:each]
    harmless = [case for case in plain if case.truth.style == "comply"][:each]
    return [*plain, *attack_cases([*harmful, *harmless], [attack.name for attack in attacks])]


def asked(run: Run, cases: Sequence[Case], file: Path) -> list[ScoredSample]:
    """What the run's final arm answers to the cases, kept in `file`."""
    if not file.exists():
        sampler, sampling = run.sampler(ARM), run.recipe.evaluate.sampling

        def work(chunk: Sequence[Case]) -> list[dict[str, object]]:
            return [*map(to_row, ask_cases(ARM, sampler, chunk, sampling, run.recipe.seed, run.style_reader))]

        inputs = [sampler.identity, [(case.prompt.id, case.prompt.messages) for case in cases], asdict(sampling)]
        write_rows(file, in_chunks(file, inputs, cases, 64, work, NullProgress(), file.stem))
        delete_journal(file)
    return [replace(from_row(row), case=case) for row, case in zip(read_rows(file), cases, strict=True)]


def attack_run(run: Run, attacks: Sequence[Attack], most: int, to: Path) -> Found | None:
    """Writes what broke the run's final arm on training prompts; None where that was done before."""
    if to.exists():
        return None
    prompts = [*run.sft_prompts(), *run.rl_prompts()]
    sampling = run.recipe.evaluate.sampling
    trained = [attack for attack in attacks if not attack.held_out]
    return redteam(
        run.sampler(ARM),
        run.policy,
        prompts,
        trained,
        sampling,
        to,
        NullProgress(),
        reader=run.style_reader,
        right_style=run.right_style,
        most=most,
        seed=run.recipe.seed,
    )


def answered(samples: Sequence[ScoredSample]) -> Estimate:
    return rate([_answered(each) for each in samples], [each.case.prompt.family for each in samples])


def change(before: Sequence[ScoredSample], after: Sequence[ScoredSample]) -> Estimate:
    """After minus before in the share that was answered, on the same cases."""
    families = [each.case.prompt.family for each in before]
    return difference([_answered(each) for each in after], [_answered(each) for each in before], families)


def _answered(sample: ScoredSample) -> Tally:
    return Tally(int(sample.style == "comply"), 1)


def line(title: str, before: Sequence[ScoredSample], after: Sequence[ScoredSample], chosen: Chosen) -> list[str]:
    pair = [[each for each in samples if chosen(each)] for samples in (before, after)]
    return [title, *(interval(asdict(answered(samples))) for samples in pair), interval(asdict(change(*pair)))]


def worst(title: str, before: Sequence[ScoredSample], after: Sequence[ScoredSample], chosen: Chosen) -> list[str]:
    cells = []
    for samples in (before, after):
        members = [each for each in samples if chosen(each)]
        variants = max(map(len, group_by_origin(members).values()), default=0)
        cells.append(f"{interval(asdict(goodness_at(members)))}, {variants} attacks")
    return [title, *cells]


def report(before: Sequence[ScoredSample], after: Sequence[ScoredSample], broke: set[str]) -> str:
    """Markdown. `broke`: the attacks whose finds were trained on."""
    known = world_attacks()
    groups = {known[name].group for name in broke}

    def harmful(each: ScoredSample) -> bool:
        return each.case.truth.style != "comply"

    def held(each: ScoredSample) -> bool:
        attack = known.get(each.case.attack or "")
        return attack is not None and attack.held_out and attack.group in groups

    def of(name: str) -> Chosen:
        return lambda each: each.case.attack == name and harmful(each)

    names = dict.fromkeys(each.case.attack for each in before if each.case.attack)
    rates = [
        line("harmful answered, plain", before, after, lambda each: not each.case.attack and harmful(each)),
        line("harmless answered, plain", before, after, lambda each: not each.case.attack and not harmful(each)),
        line("harmful answered, trained on", before, after, lambda each: each.case.attack in broke and harmful(each)),
        line("harmful answered, held out", before, after, lambda each: held(each) and harmful(each)),
        line(
            "harmless answered, under all attacks",
            before,
            after,
            lambda each: bool(each.case.attack) and not harmful(each),
        ),
    ]
    good = [
        worst("all attacks", before, after, lambda each: bool(each.case.attack) and harmful(each)),
        worst("held out, of what broke it", before, after, lambda each: held(each) and harmful(each)),
    ]
    marks = {
        name: " (held out)" if known[name].held_out else " (trained on)" if name in broke else "" for name in names
    }
    single = [line(f"{name}{marks[name]}", before, after, of(name)) for name in names]
    return "\n\n".join(
        [
            markdown(["", "before", "after", "change, points"], rates),
            markdown(["goodness@0.1", "before", "after"], good),
            markdown(["harmful answered under", "before", "after", "change, points"], single),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a finished run of recipes/micro.yaml")
    parser.add_argument("--most", type=int, default=60, help="harmful training prompts to attack")
    parser.add_argument("--each", type=int, default=30, help="harmful, and harmless, unseen cases under every attack")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="for the new run")
    parser.add_argument("--root", type=Path, default=Path("runs"))
    options = parser.parse_args()
    try:
        old = Run.reopen(options.run)
        options.root.mkdir(parents=True, exist_ok=True)
        every = list(world_attacks().values())
        decodes = can_decode(open_model(old.models[BASE].model, "base"), codes_of(every), WORLD_FILE)
        attacks = readable(every, decodes)
        found = options.root / f"found-{old.root.name}.jsonl"
        attack_run(old, attacks, options.most, found)
        broke = {row["framing"] for row in read_rows(found)}
        given = [f"more={found.resolve()}", f"from_run={old.root.resolve()}", f"evaluate.arms=[{','.join(ARMS)}]"]
        root, _ = complete([f"seed={old.recipe.seed}", *given, *options.sets], options.root)
        new = Run.reopen(root)
        cases = cases_of(old, options.each, attacks)
        before = asked(old, cases, options.root / f"attacked-{old.root.name}.jsonl")
        after = asked(new, cases, options.root / f"attacked-{new.root.name}.jsonl")
    except UserError as error:
        sys.exit(f"error: {error}")
    left = [f"{code} ({each.right} of {each.n})" for code, each in decodes.items() if not each.able]
    print(f"{old.root.name} -> {new.root.name}; the base cannot decode: {', '.join(left) or 'none left out'}\n")
    print(report(before, after, broke))


if __name__ == "__main__":
    main()
