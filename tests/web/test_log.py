"""The log never stops the work: not when its disk is full, nor when nobody reads it, nor when its reader is gone."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from connector.log import _Out, families

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import logging, sys, time
import structlog
from connector import log
log.configure()
log.configure()
speaker = structlog.get_logger()
for number in range(COUNT):
    speaker.info("thing.done", number=number, words="line\\nbreak \\x1b[31m é", at_all=None)
try:
    raise ValueError("anna@example.test")
except ValueError:
    logging.getLogger("some.library").exception("it broke for %s", "somebody")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
print("printed")
time.sleep(PAUSE)
sys.exit(7)
"""


def run(count: int = 3, pause: float = 0.0, **options: object) -> "subprocess.Popen[bytes]":
    """A process that logs."""
    program = PROGRAM.replace("COUNT", str(count)).replace("PAUSE", str(pause))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", program], env=environment, **options)  # type: ignore[call-overload,no-any-return]


def test_each_event_is_one_line_with_its_time() -> None:
    process = run(stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 7
    *events, library, printed = output.decode().splitlines()
    found = [json.loads(line) for line in events]
    assert [event["number"] for event in found] == [0, 1, 2]
    assert found[0]["event"] == "thing.done"
    assert found[0]["level"] == "info"
    assert found[0]["at"].endswith("Z")
    assert found[0]["words"] == "line\nbreak \x1b[31m é"
    assert b"\x1b" not in output
    said = json.loads(library)
    assert (said["library"], said["words"], said["error"]) == ("some.library", "it broke for somebody", "ValueError")
    assert "anna" not in library, "values may be personal data"
    assert printed == "printed"


@pytest.mark.spec("RL-106")
@pytest.mark.parametrize("count", [3, 30_000])
def test_a_closed_pipe_stops_nobody(count: int) -> None:
    reading, writing = os.pipe()
    process = run(count, stdout=writing)
    os.close(writing)
    os.close(reading)
    assert process.wait(30) == 7


@pytest.mark.spec("RL-106")
def test_a_reader_that_stands_still_stops_nobody() -> None:
    reading, writing = os.pipe()
    process = run(30_000, stdout=writing)
    assert process.wait(30) == 7
    os.close(writing)
    os.close(reading)


def test_what_cannot_be_written_is_counted_and_what_comes_later_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from_disk = {"is_full": True}
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if descriptor == target and from_disk["is_full"]:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    with (tmp_path / "log").open("wb") as file:
        target = file.fileno()
        monkeypatch.setattr(os, "write", write)
        out = _Out(target)
        before = lost()
        for number in range(10):
            out.info(f"lost {number}")
        assert out.flush()
        assert lost() - before == 10
        from_disk["is_full"] = False
        out.info("kept")
        assert out.flush()
    assert (tmp_path / "log").read_text() == "kept\n"


def test_a_queue_that_is_full_drops_lines_instead_of_waiting() -> None:
    reading, writing = os.pipe()
    try:
        out, before = _Out(writing, most=100), lost()
        began = time.monotonic()
        for _ in range(20):
            threading.Thread(target=lambda: [out.info("x" * 1000) for _ in range(100)]).start()
            time.sleep(0.01)
        assert time.monotonic() - began < 5
        assert not out.flush(0.1)
        assert lost() - before > 1000
    finally:
        os.set_blocking(reading, False)
        while True:  # let the writer come to its end
            try:
                if not os.read(reading, 2**20) or out.flush(0.05):
                    break
            except BlockingIOError:
                if out.flush(0.05):
                    break
        os.close(reading)
        os.close(writing)


def lost() -> float:
    """How many lines were lost in this process."""
    [family] = families()
    return family.samples[0][2]
