"""Running cases: in this process, or each as a process of its own with a time limit."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from connector.store.embedded_home import ELSEWHERE
from tests.chaos import nursery
from tests.chaos.case import Case
from tests.chaos.report import Row, load_rows, print_table, save_rows
from tests.chaos.size import Size

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "var" / "chaos.json"
SLOTS = 2
LIMIT_SECONDS = 900.0
LEAST_LIMIT_SECONDS = 240.0
GRACE_SECONDS = 60.0


def run_one(case: Case, size: Size, seed: int, out: Path | None) -> int:
    """Run a case here; what it raises is a red row."""
    signal.signal(signal.SIGTERM, _give_up)
    with tempfile.TemporaryDirectory(prefix="connector-chaos-", dir=ELSEWHERE) as directory:
        rows = rows_of(case, size, seed, Path(directory))
    if out is not None:
        save_rows(rows, out)
    else:
        print_table(rows)
    return 0 if all(row.is_green for row in rows) else 1


def _give_up(number: int, frame: FrameType | None) -> None:
    """Say where we stood, and end in a way that takes the case's stack apart."""
    traceback.print_stack(frame, limit=12)
    sys.exit(128 + number)


def rows_of(case: Case, size: Size, seed: int, directory: Path) -> list[Row]:
    """The rows of a case: its own, and a red one for each id that it owes us (unless it could not run here) or if it raised."""
    Path(directory).chmod(0o711)
    try:
        rows = list(case.run(size, seed, directory))
    except Exception as error:
        traceback.print_exc()
        return failed_rows(case, seed, f"the case raised {type(error).__name__}: {error}")
    if rows and all(row.not_run for row in rows):
        return rows
    missing = [name for name in case.ids if name not in {row.id for row in rows}]
    return [*rows, *(Row(name, case.name, 0, 0, ["the case says nothing of this id"], seed) for name in missing)]


def failed_rows(case: Case, seed: int, sentence: str) -> list[Row]:
    """A red row for each id of a case that came to nothing."""
    return [Row(name, case.name, 0, 0, [sentence], seed) for name in case.ids or (case.name,)]


def run_all(cases: Sequence[Case], size: Size, seed: int) -> list[Row]:
    """Run cases as processes: first the loud ones two at a time, then those that must be alone, one by one."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="connector-chaos-") as directory, seedbed(Path(directory)) as bed:
        for slots, chosen in ((SLOTS, [case for case in cases if not case.alone]), (1, [case for case in cases if case.alone])):
            waiting = [Child(case, size, seed, Path(directory), bed) for case in chosen]
            _work_off(waiting, slots)
            rows += [row for child in waiting for row in child.rows]
    return rows


def _work_off(children: "Sequence[Child]", slots: int) -> None:
    queue = list(children)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not queue:
                    return
                child = queue.pop(0)
            child.run()

    threads = [threading.Thread(target=work, name=f"slot-{number}", daemon=True) for number in range(slots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass(frozen=True, slots=True)
class Seedbed:
    """Where cases come from, all of them loaded; and where the database lies that their servers begin with."""

    nursery: nursery.Nursery
    template: Path


@contextmanager
def seedbed(directory: Path, template: Path | None = None) -> Iterator[Seedbed]:
    """Until the end of the block. Several of them may share the directory of one `template`."""
    made = nursery.spawned(directory / "seedbed.log", "tests.chaos.seedbed", os.environ)
    try:
        yield Seedbed(made, template or directory / "template")
    finally:
        made.close()


@dataclass
class Child:
    """A case as a process of its own, with a time limit."""

    case: Case
    size: Size
    seed: int
    directory: Path
    bed: Seedbed

    def __post_init__(self) -> None:
        self.limit = max(LEAST_LIMIT_SECONDS, LIMIT_SECONDS * self.size.share)
        self.rows: list[Row] = failed_rows(self.case, self.seed, "it never ran")

    def run(self) -> None:
        """Run it to its end, or end it; afterwards `rows` say what came of it."""
        out, log = self.directory / f"{self.case.name}.json", self.directory / f"{self.case.name}.log"
        log.touch()
        began, overran = time.monotonic(), False
        words = {"case": self.case.name, "seed": self.seed, "share": self.size.share, "out": str(out), "log": str(log)}
        process = self.bed.nursery.bear({**words, "template": str(self.bed.template)})
        try:
            process.wait(self.limit)
        except subprocess.TimeoutExpired:
            overran = True
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        finally:
            # Its session holds nobody but what it started itself; a stack that was taken apart has left it empty.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait(GRACE_SECONDS)
        seconds = time.monotonic() - began
        said = log.read_text(encoding="utf-8", errors="replace").strip()
        if out.exists() and not overran:
            self.rows = load_rows(out)
            for row in self.rows:
                row.figures.setdefault("seconds", f"{seconds:.0f}")
                row.figures.setdefault("cpu", f"{process.cpu_seconds:.0f}")
        else:
            reason = f"overran its limit of {self.limit:.0f} s" if overran else f"ended with code {code}"
            self.rows = failed_rows(self.case, self.seed, f"the case {reason}: {said[-1500:]}")
        state = "ok" if all(row.is_green for row in self.rows) else "RED"
        print(f"{state:<4}{self.case.name:<24}{' '.join(row.id for row in self.rows)}  {seconds:.0f} s", flush=True)
        if state == "RED" and said:
            print("\n".join(f"    {line}" for line in said.splitlines()[-30:]), flush=True)
