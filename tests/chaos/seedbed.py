"""
What cases come out of: `python -m tests.chaos.seedbed`, a nursery that has loaded all of them.

Each case is a process and a session of its own, with a nursery for its roles, and costs no time to load.
"""

import gc
import os
import socket
import sys
from pathlib import Path
from typing import Any

from tests.chaos import nursery, template
from tests.chaos.cases import CASES
from tests.chaos.runner import run_one
from tests.chaos.sending import warm as _warm  # noqa: F401 - what many a child would make anew
from tests.chaos.size import Size


def run(wanted: dict[str, Any], line: socket.socket) -> int:
    """In a child: run the case that was asked for; returns its exit code."""
    nursery.leave(line, Path(wanted["log"]))
    os.setsid()
    chosen = {case.name: case for case in CASES}[wanted["case"]]
    template.use(Path(wanted["template"]))
    # Before there are threads, and servers whose pipes it would hold open. It takes itself out of here by SystemExit.
    roles = nursery.fork_own(Path(wanted["log"]))
    try:
        return run_one(chosen, Size(wanted["share"]), wanted["seed"], Path(wanted["out"]))
    finally:
        roles.close()


if __name__ == "__main__":
    connection = socket.socket(fileno=int(sys.argv[1]))
    # What is loaded stays for good: no collection of a child walks through it, which would copy every page of it.
    gc.collect()
    gc.freeze()
    asked = nursery.serve(connection)
    if asked is not None:
        sys.exit(run(asked, connection))
