"""The `deliberant` command in a process that can die: the second of a launch kills itself at step MORTAL_STEP."""

import os
import signal
from typing import Any

from deliberant.__main__ import main
from deliberant.training import proofs
from deliberant.util.processes import rank

if __name__ == "__main__":
    finite = proofs.finite

    def dies(step: int, logs: Any) -> None:
        if rank() == 1 and step == int(os.environ["MORTAL_STEP"]):
            os.kill(os.getpid(), signal.SIGKILL)
        finite(step, logs)

    proofs.finite = dies
    main()
