"""Rows per second and peak memory of the `prompts` verbs and coverage as rows grow tenfold, against datasketch.

The prompts are made up: about 110 letters, one in ten a copy, one in ten another with a word changed, families of two.
Each measurement is a process of its own. In the end it prints, for each verb, by how much the peak grew between two
sizes, in kB per 1,000 rows, which is bytes a row.

The peer gets the same character shingles and threshold, with datasketch's documented settings (128 permutations,
MinHashLSH's own choice of bands), inserts every prompt and asks for what is near it; it needs `pip install datasketch`,
keeps its index in memory, and does not compare texts.

    python -m benchmarks.prompts --rows 20000 200000
    python -m benchmarks.prompts --rows 1000000 --peer-rows 0
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from deliberant.policy import load_policy
from deliberant.prompts import write_prompts
from deliberant.prompts.census import count_prompts
from deliberant.prompts.dedupe import dedupe
from deliberant.prompts.importing import Import, import_prompts
from deliberant.prompts.plan import Plan
from deliberant.prompts.similarity import THRESHOLD, compared_text, shingles
from deliberant.prompts.split import split
from deliberant.prompts.tables import open_table
from deliberant.run.run import NOTE
from deliberant.run.sources import policy_folder
from deliberant.stages.coverage import coverage
from deliberant.util.files import Row, file_hash, write_json, write_rows

WORDS = [f"{random.Random(number).getrandbits(40):x}"[: 3 + number % 6] for number in range(20_000)]
TEXT_WORDS = 18


def rows(number: int) -> Iterator[Row]:
    """Prompts, the same for the same `number`."""
    rng = random.Random(0)
    recent = [rng.choices(WORDS, k=TEXT_WORDS)]
    for place in range(number):
        kind = rng.random()
        words = list(rng.choice(recent)) if kind < 0.2 else rng.choices(WORDS, k=TEXT_WORDS)
        if kind < 0.1:
            words[rng.randrange(TEXT_WORDS)] = rng.choice(WORDS)
        elif kind >= 0.2:
            recent = [*recent[-999:], words]
        text = " ".join(words)
        yield {
            "id": f"p{place}",
            "messages": [{"role": "user", "content": text}],
            "categories": [],
            "family": f"f{place // 2}",
            "source": f"source {place % 3}",
            "framing": ("plain", "fiction")[place % 2],
        }


def run_folder(folder: Path, number: int) -> Path:
    """A run whose filter kept two of three samples, one sample for each prompt."""
    root = folder / "run"
    ids = [clause.id for category in load_policy(policy_folder("micro")).categories for clause in category.clauses]
    write_json(root / NOTE, {})
    (root / "policy").symlink_to(policy_folder("micro").resolve())
    write_rows(root / "prompts" / "sft.jsonl", rows(number))
    outputs: dict[str, Any] = {}
    for name, wanted in (("kept", (0, 1)), ("rejected", (2,))):
        path = root / "filter" / f"{name}.jsonl"
        samples = (
            {"prompt_id": f"p{place}", "reasoning": "x" * 300, "cited": [ids[place % len(ids)]]}
            for place in range(number)
            if place % 3 in wanted
        )
        write_rows(path, samples)
        outputs[path.name] = {"sha256": file_hash(path), "rows": None}
    about = {"stage": "filter", "key": "", "inputs": {}, "counts": {}, "seconds": 0.0, "version": "", "code": ""}
    write_json(root / "filter" / "manifest.json", {**about, "outputs": outputs})
    return root


def peer(path: Path) -> int:
    """How many prompts datasketch finds to be near an earlier one."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ModuleNotFoundError:
        sys.exit("the peer is not installed: `pip install datasketch`, or leave it out with --peer-rows 0")
    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    found = 0
    with path.open() as file:
        for place, line in enumerate(file):
            text = compared_text(json.loads(line)["messages"])
            made = MinHash(num_perm=128)
            made.update_batch([shingle.encode() for shingle in shingles(text)])
            found += bool(index.query(made))
            index.insert(place, made)
    return found


def work(name: str, folder: Path) -> str:
    """One measurement, in words."""
    path = folder / "prompts.jsonl"
    match name:
        case "dedupe":
            found = dedupe([path], [], folder / "out.jsonl")
            return f"{found.exact} exact, {found.near} near, {found.skipped} not compared"
        case "split":
            parts = split(path, folder / "sets", 0.2, 0)
            return f"{parts.sets} sets, {parts.held_out / parts.rows:.1%} held out"
        case "coverage":
            return f"{len(coverage(folder / 'run').clauses())} clauses"
        case "check":
            checked = count_prompts(path)
            return f"{checked.families} families"
        case "import":
            account = Import()
            write_prompts(folder / "imported.jsonl", import_prompts(open_table(str(path)), Plan(), account))
            return f"{account.prompts} prompts"
        case _:
            return f"{peer(path)} near an earlier one"


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Seconds and peak memory of one piece of work in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.prompts", "--work", name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    return dict(json.loads(done.stdout))


def child(name: str, folder: Path) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    said = work(name, folder)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    spent = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({**spent, "peak": peak, "said": said}))


def show(name: str, number: int, found: dict[str, Any]) -> None:
    rates = f"{number / found['seconds']:>9.0f} rows/s  {number / found['cpu']:>9.0f} rows/s of CPU"
    print(f"{name:10} {number:>8} rows  {rates}  {found['peak'] / 1e6:>6.0f} MB peak  {found['said']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--peer-rows", type=int, default=20_000, help="0: without the peer")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        child(options.work[0], Path(options.work[1]))
        return
    cpu: dict[tuple[str, int], float] = {}
    peaks: dict[str, list[tuple[int, int]]] = {}
    for number in sorted({*options.rows, *([options.peer_rows] if options.peer_rows else [])}):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_rows(folder / "prompts.jsonl", rows(number))
            names = ["dedupe", "datasketch"] if number == options.peer_rows else ["dedupe"]
            if number in options.rows:
                run_folder(folder, number)
                names += ["split", "coverage", "check", "import"]
            for each in names:
                found = measure(each, folder)
                cpu[each, number] = found["cpu"]
                peaks.setdefault(each, []).append((number, found["peak"]))
                show(each, number, found)
    for each, sizes in peaks.items():
        for (less, before), (more, after) in pairwise(sizes):
            grown = (after - before) / (more - less)
            print(f"{each:10} {less:>8} to {more} rows: {grown:.0f} kB more for each 1,000 rows")
    if not options.peer_rows:
        return
    ratio = cpu["datasketch", options.peer_rows] / cpu["dedupe", options.peer_rows]
    print(f"datasketch takes {ratio:.1f} times the CPU time of dedupe at {options.peer_rows} rows")


if __name__ == "__main__":
    main()
