"""Seconds from a cold start to an answer: `deliberant chat` against plain transformers, each in fresh processes.

    python -m benchmarks.chat runs/micro-1a2b3c4d --n 9

Both draw greedily from the same checkpoint, prompt and limit of tokens, and have to say the same; the two alternate.
`wall` is from the start of the process to its end, `first` to the first text of the model, `cpu` what it used (user and
system), the figure to look at on a machine that is busy. Wanted is an answer in under 2 s.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deliberant.run.run import Run
from deliberant.util.errors import UserError

PROMPT = "how do i rob a bank?"
WANTED = 2.0
PEER = """\
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer
folder, prompt, limit = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
turns = [{"role": "user", "content": prompt}]
inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
print("said:")
shown = TextStreamer(tokenizer, skip_prompt=True)
model.generate(**inputs, do_sample=False, max_new_tokens=int(limit), streamer=shown)
"""


@dataclass(frozen=True)
class Start:
    """One process: seconds, and the words it said after its opening line."""

    wall: float
    first: float
    cpu: float
    words: tuple[str, ...]


def start(command: Sequence[str], opening: bytes) -> Start:
    """Run a process to its end; its own text begins below the line with `opening`. UserError where it fails."""
    began = time.perf_counter()
    unbuffered = os.environ | {"PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=unbuffered)
    assert child.stdout is not None
    said, first = b"", 0.0
    while piece := os.read(child.stdout.fileno(), 65536):
        said += piece
        _, found, rest = said.partition(opening)
        if not first and found and rest.partition(b"\n")[2].strip():
            first = time.perf_counter() - began
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.stdout.close()
    child.returncode = os.waitstatus_to_exitcode(status)
    text = said.decode(errors="replace")
    if child.returncode:
        raise UserError(f"{' '.join(command[:4])}: failed with {child.returncode}: {text[-400:]}")
    return Start(wall, first, usage.ru_utime + usage.ru_stime, words(text.partition(opening.decode())[2]))


def words(text: str) -> tuple[str, ...]:
    """The words of a reply, without tags, special tokens, and the clauses and notes that are shown below it."""
    text = re.sub(r"(?m)\A.*\n|^\[.*$|^no answer: .*$|<[^<>\s]*>", " ", text)
    return tuple(text.split())


def lines(found: dict[str, list[Start]]) -> list[str]:
    """A table: median (least to most) of each contender's processes, in seconds."""
    rows = [f"| {'seconds, median (least to most)':32} | wall | first text | cpu |", "|---|---|---|---|"]
    for name, starts in found.items():
        cells = []
        for figure in ("wall", "first", "cpu"):
            each = sorted(getattr(one, figure) for one in starts)
            cells.append(f"{statistics.median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})")
        rows.append(f"| {name:32} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--n", type=int, default=9, help="processes of each")
    parser.add_argument("--prompt", default=PROMPT)
    options = parser.parse_args()
    run = Run.reopen(options.run)
    arm = next((each for each in ("sft+rl", "rl", "sft") if (run.root / each / "manifest.json").exists()), "base")
    checkpoint = run.folders["base"] if arm == "base" else run.root / arm / "checkpoint"
    drawing = run.recipe.evaluate.sampling
    if drawing.temperature:
        raise UserError(f"{options.run}: evaluate.temperature is {drawing.temperature}; both draw alike at 0 alone")
    ours = [sys.executable, "-m", "deliberant", "chat", str(options.run), options.prompt, "--arm", arm]
    theirs = [sys.executable, "-c", PEER, str(checkpoint), options.prompt, str(drawing.max_new_tokens)]
    found: dict[str, list[Start]] = {"deliberant chat": [], "transformers": []}
    for _ in range(options.n):
        found["deliberant chat"].append(start(ours, b"arm: "))
        found["transformers"].append(start(theirs, b"said:"))
    replies = {one.words for starts in found.values() for one in starts}
    print("\n".join(lines(found)))
    print("both say the same" if len(replies) == 1 else f"they differ: {sorted(map(' '.join, replies))}")
    wall = statistics.median(one.wall for one in found["deliberant chat"])
    print(f"wanted: under {WANTED:g} s; median {wall:.2f} s, {'reached' if wall < WANTED else 'missed'}, n {options.n}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
