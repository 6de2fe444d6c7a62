"""The processes of one launch (`torchrun`, `accelerate launch`): the first one leads, and the others help it train.

The leader owns the run folder: lock, journals, logs, checkpoints, progress bar. All run the same command, and what only
one of them may do stands behind `leads()`. With one process all of this does nothing, and torch is not imported.

Waiting is on sockets of the CPU (gloo), for as long as it takes: the leader may generate for a day before it trains.
"""

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from deliberant.util.errors import RunError, UserError

Value = TypeVar("Value")

STEP = timedelta(hours=3)
"""The longest that one process may keep the others waiting inside a training step: its judge may be slow."""
WAIT = timedelta(days=100)
ENDED = "another process of this launch has ended, or the launch was stopped; the same command resumes"

_joined: tuple[Any, Any] | None = None
"""The store and the group to wait in, once the processes are connected."""


def count() -> int:
    """How many processes were launched together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_leader() -> bool:
    """Whether this is the process that owns the run folder."""
    return rank() == 0


def join() -> Any:
    """Connect the processes, once, and return the group to wait in; nothing where there is one alone.

    UserError where they cannot be: a port that is taken, more processes than GPUs, a leader that does not answer.
    """
    global _joined
    if count() == 1:
        return None
    if _joined is None:
        import torch
        import torch.distributed as dist
        from torch.distributed.rendezvous import rendezvous

        backend, local = "gloo", int(os.environ.get("LOCAL_RANK", "0"))
        if torch.cuda.is_available():
            if local >= (gpus := torch.cuda.device_count()):
                raise UserError(f"process {local + 1} of this machine has no GPU, there are {gpus}; launch no more")
            torch.cuda.set_device(local)
            backend = "cpu:gloo,cuda:nccl"
        try:
            store, number, size = next(rendezvous("env://"))
            dist.init_process_group(backend, store=store, rank=number, world_size=size, timeout=STEP)
            _joined = store, dist.new_group(backend="gloo", timeout=WAIT)
            signal.signal(signal.SIGTERM, _ended)  # how a launcher ends the others once one has ended
        except (RuntimeError, ValueError) as error:
            raise UserError(_unconnected(str(error))) from error
    return _joined[1]


def _ended(*_: Any) -> None:
    raise RunError(ENDED)


def _unconnected(reason: str) -> str:
    port = f"{os.environ.get('MASTER_ADDR', '?')}:{os.environ.get('MASTER_PORT', '?')}"
    if "EADDRINUSE" in reason or "in use" in reason:
        return f"port {port} is taken, by another launch perhaps; give another one (--master-port)"
    first = next(iter(reason.splitlines()), "")
    return f"process {rank()} of {count()} cannot reach the others at {port} ({first}); see docs/distributed.md"


def end(error: BaseException) -> None:
    """Disconnect, as the command ends by `error` (SystemExit included); nothing where no others were launched.

    After a failure the process is gone at once: a regular exit would wait for the others, and they for it.
    """
    if _joined is None:
        return
    code = error.code if isinstance(error, SystemExit) else 1
    if not code:
        import torch.distributed as dist

        dist.destroy_process_group()
        return
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 1)


@contextmanager
def leader_first() -> Iterator[None]:
    """The leader goes through the block before the others do, and nobody leaves it before all went through.

    So what it writes there the others find, and its errors come before theirs.
    """
    if (group := join()) is None:
        yield
        return
    import torch.distributed as dist

    if not is_leader():
        dist.barrier(group)
    yield
    if is_leader():
        dist.barrier(group)
    dist.barrier(group)


def broadcast(value: Value) -> Value:
    """The leader's value, in every process."""
    return gather(value)[0]


def gather(value: Value) -> list[Value]:
    """Every process's value, by rank, in every process."""
    if (group := join()) is None:
        return [value]
    import torch.distributed as dist

    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value, group=group)
    return values


def is_lost_process(error: BaseException) -> bool:
    """Whether an error says that another process of this launch is gone."""
    words = f"{type(error).__name__} {error}"  # torch's own errors are called Dist…, gloo's are plain
    return count() > 1 and isinstance(error, RuntimeError) and any(each in words for each in ("Dist", "gloo", "NCCL"))


def is_first_failure() -> bool:
    """Whether this process is the first of its launch to fail, so that one line is said and not one by each.

    Before they are connected, each reports for itself.
    """
    if _joined is None:
        return True
    try:
        return int(_joined[0].add("deliberant/failed", 1)) == 1
    except RuntimeError:  # whoever held the store is gone, too
        return rank() == 1
