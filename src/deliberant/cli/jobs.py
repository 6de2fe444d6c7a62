"""Arms side by side: what does not depend on each other, each stage in a process of its own with its share of cores."""

import multiprocessing
import os
import signal
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deliberant.cli.opening import show_yield, work
from deliberant.models.refs import parse_reference
from deliberant.run.arms import ARMS, BASE
from deliberant.run.run import list_stages
from deliberant.util.errors import UserError

if TYPE_CHECKING:
    from deliberant.run.run import Run

_TICK = 0.2  # seconds between looks at what the processes have to say
_worker: dict[str, Any] = {}
"""In a process of the pool: its run."""


def run_side_by_side(run: "Run", jobs: int) -> None:
    """Train and evaluate the recipe's arms, `jobs` stages at a time; the stages before them must have finished.

    A stage that fails ends the others, which the same command resumes. UserError where a model is remote.
    """
    from deliberant.cli.console import show_bars
    from deliberant.run.folder import read_manifest

    if remote := [model.model for model in run.models.values() if parse_reference(model.model).remote]:
        raise UserError(
            f"--jobs: {remote[0]} is called, not loaded, and its calls go side by side anyway; leave it out"
        )
    spawn = multiprocessing.get_context("spawn")
    told = spawn.Queue()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    left, done, running = list_needs(run.recipe.evaluate.arms), set[str](), dict[Future[None], str]()
    unfinished = {stage for stage in left if read_manifest(run.root / stage) is None}
    pool = ProcessPoolExecutor(jobs, spawn, _begin, (told, threads, run.root))
    try:
        with show_bars() as show:
            while left or running:
                for stage in [stage for stage, needed in left.items() if needed <= done]:
                    running[pool.submit(_do, stage)] = stage
                    del left[stage]
                ended, _ = wait(running, _TICK, FIRST_COMPLETED)
                while not told.empty():
                    show(*told.get())
                for future in ended:
                    future.result()
                    done.add(stage := running.pop(future))
                    if stage in unfinished:
                        show_yield(run, stage)
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def list_needs(arms: tuple[str, ...]) -> dict[str, set[str]]:
    """What each stage of these arms waits for among the others; what is waited for longest comes first."""
    trained = [stage for stage in list_stages(arms) if stage in ARMS]
    waits = {arm: {ARMS[arm].start} & set(trained) for arm in trained}
    for arm in sorted(arms, key=list(ARMS).index):
        start = ARMS[arm].start
        twin = {f"evaluate/{start}"} if arm != BASE and start in arms else set()
        waits[f"evaluate/{arm}"] = ({arm} & set(trained)) | twin
    return waits


def _begin(told: Any, threads: int, root: Path) -> None:
    """In a new process of the pool: open the run, under the lock of the process that made this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other one ends this one
    import torch

    from deliberant.cli.console import StepProgress
    from deliberant.run.run import LOCK, Run
    from deliberant.util.locks import adopt

    torch.set_num_threads(threads)
    adopt(root / LOCK)
    _worker["run"] = Run.reopen(root, StepProgress(lambda *step: told.put(step)))


def _do(stage: str) -> None:
    from deliberant.util.memory import release_memory

    work(_worker["run"], stage)
    release_memory()
