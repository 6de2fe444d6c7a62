"""A stage that asks a real server, killed at five random points: the same rows, and what was kept is not asked again.

    python -m benchmarks.kills recipes/qwen-0.5b-cpu.yaml http://127.0.0.1:8080 --set base.model=FOLDER

Runs the recipe up to `filter`, whose judge is the server's model; then again from the same samples, killed (SIGKILL)
after a random number of calls, five times, and once to the end. A proxy before the server keeps what it was given.
"""

import argparse
import collections
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.server import Proxy

KILLS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("server", help="its address, without /v1")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--root", type=Path, help="where the two runs go; default is a folder that is deleted")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Proxy(args.server) as proxy:
        root = args.root or Path(scratch)
        overrides = [*args.overrides, f"judge.filter.model=vllm:{proxy.url}"]

        def start(stage: str, side: str) -> subprocess.Popen[bytes]:
            words = [word for each in overrides for word in ("--set", each)]
            command = [sys.executable, "-m", "deliberant", stage, str(args.recipe), "--root", str(root / side), *words]
            return subprocess.Popen(command)

        def finish(stage: str, side: str) -> None:
            assert start(stage, side).wait() == 0

        finish("generate", "whole")
        shutil.copytree(root / "whole", root / "killed")
        finish("filter", "whole")
        once = counted(proxy)
        print(f"uninterrupted: {sum(once.values())} calls, {len(once)} of them different", flush=True)
        points = sorted(random.Random(args.seed).sample(range(1, len(once)), KILLS))
        at_kill = 0
        for point in points:
            process = start("filter", "killed")
            while len(proxy.forwarded) < point:
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            at_kill += proxy.busy
            while proxy.busy:
                time.sleep(0.1)
            print(f"killed at call {point}", flush=True)
        finish("filter", "killed")
        again = counted(proxy)
        [whole], [killed] = ([*(root / side).glob("*/filter")] for side in ("whole", "killed"))
        for name in sorted(each.name for each in whole.glob("*.jsonl")):
            same = (whole / name).read_bytes() == (killed / name).read_bytes()
            print(f"{name}: {'the same rows' if same else 'other rows'}")
        twice = sum(again.values()) - len(again)
        print(
            f"killed {KILLS} times: {sum(again.values())} calls, {len(again)} of them different; {twice} asked twice,"
        )
        print(f"{at_kill} were on their way at a kill")


def counted(proxy: Proxy) -> collections.Counter[str]:
    """The calls that the server was given since the last time, by content."""
    calls = collections.Counter(json.dumps(body, sort_keys=True) for body in proxy.forwarded)
    proxy.forwarded.clear()
    return calls


if __name__ == "__main__":
    main()
