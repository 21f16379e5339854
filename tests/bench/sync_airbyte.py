"""
A peer that reads whole shops for a living: `airbyte-source-woocommerce`, which prints each order as a line of JSON and stores nothing.

It runs as its users start it, with an environment of Python 3.11 of its own under var/bench, where pip installs what `airbyte.lock`
pins; nothing of it is among our own packages. What is measured is the whole process, beginning and end with it.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.node import Skipped
from tests.bench.sync_ground import KEYS, SyncGround, store
from tests.bench.sync_server import Manner
from tests.bench.sync_woo import STEP

LOCK = Path(__file__).parent / "airbyte.lock"
VERSION = (3, 11)
"""Of Python: the peer takes none above it, and the lock is made for it."""
BUILDERS = ("poetry-core", "setuptools")
"""What builds those of its packages that have no wheel: installed first, by the same hashes, so that no build fetches its own."""
INSTALL_SECONDS, READ_SECONDS = 240, 240
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15", "--require-hashes")
START = "import certifi, os; certifi.where = lambda: os.environ['BENCH_CA']; from source_woocommerce.run import run; run()"
"""Its own entry point. It reads no setting that names a CA, so it is told in the one place where it looks for those it trusts."""
CATALOG = {
    "streams": [
        {
            "stream": {"name": "orders", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}


@dataclass(frozen=True, slots=True)
class Printed:
    """One run: orders a second of the whole process, and the seconds of CPU that it used."""

    orders: float
    cpu: float


def read_all(sync: SyncGround, python: Path, orders: int, latency: float) -> Printed:
    """
    The peer reads all orders of a store in which each page takes `latency` seconds. Raises RuntimeError if not all were printed.

    It asks for 30 days at a time, from its first day until now. Its store is therefore so young that one such span holds it (up to 38,000
    orders), and no page is asked for in vain; apart from the dates it is the same as ours.
    """
    first_day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - orders * STEP - timedelta(days=2)
    begin = first_day + timedelta(hours=8)
    with store(sync, "woocommerce", orders, BENCH_BEGIN=begin.isoformat()) as port:
        sync.behave(port, Manner(latency=latency))
        config = {"shop": f"127.0.0.1:{port}", "api_key": KEYS["consumer_key"], "api_secret": KEYS["consumer_secret"]}
        seconds, cpu, printed = _run(sync, python, {**config, "start_date": f"{first_day:%Y-%m-%d}"})
    try:
        found = len(order_ids(printed))
        if found != orders:
            raise RuntimeError(f"airbyte-source-woocommerce printed {found} of {orders} orders: this measures nothing")
    finally:
        printed.unlink()
    return Printed(orders / seconds, cpu)


def order_ids(printed: Path) -> set[int]:
    """The ids of all orders in what the peer printed."""
    with printed.open("rb") as lines:
        messages = (json.loads(line) for line in lines if b'"RECORD"' in line)
        return {one["record"]["data"]["id"] for one in messages if one["type"] == "RECORD" and one["record"]["stream"] == "orders"}


def install(directory: Path, pythons: Sequence[str] = (sys.executable, "python3.11")) -> Path:
    """
    Bring the peer into `directory` and return its Python; nothing is fetched if exactly what the lock names is there.

    Raises Skipped with the reason if none of `pythons` is of its version, or pip cannot install it.
    """
    python, done = directory / "bin" / "python", directory / LOCK.name
    if python.exists() and done.exists() and done.read_bytes() == LOCK.read_bytes():
        return python
    found = next((one for one in map(shutil.which, pythons) if one is not None and _is_right(one)), None)
    if found is None:
        raise Skipped(f"it needs Python {VERSION[0]}.{VERSION[1]}, which is not on PATH")
    _call("venv", (found, "-m", "venv", "--clear", str(directory)))
    builders = directory / "builders.lock"
    builders.write_text(pins(LOCK.read_text(), BUILDERS))
    _call("pip", (str(python), *PIP, "--no-deps", "--only-binary", ":all:", "-r", str(builders)))
    _call("pip", (str(python), *PIP, "--no-build-isolation", "-r", str(LOCK)))
    shutil.copyfile(LOCK, done)
    return python


def pins(lock: str, names: Sequence[str]) -> str:
    """The lines of a lock file that pin these packages."""
    blocks = re.findall(r"^\S[^\n]*\n(?:[ \t][^\n]*\n)*", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if block.partition("==")[0] in names)


def reason(complaint: str) -> str:
    """pip's complaint in one line, without its markers and what has an address or a path in it."""
    told = [line.removeprefix("ERROR:").strip() for line in complaint.splitlines() if line.startswith("ERROR:")]
    return "; ".join(line for line in told if line and "/" not in line) or "it gave no reason"


def _run(sync: SyncGround, python: Path, config: dict[str, str]) -> tuple[float, float, Path]:
    """Seconds by the clock and of CPU, and the file it printed to."""
    scratch = sync.ground.scratch
    files = {name: scratch / f"airbyte-{name}.json" for name in ("config", "catalog")}
    files["config"].write_text(json.dumps(config))
    files["catalog"].write_text(json.dumps(CATALOG))
    command = [str(python), "-c", START, "read", *(word for name, path in files.items() for word in (f"--{name}", str(path)))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(scratch), "BENCH_CA": str(sync.certificates.ca_pem)}
    printed, before = scratch / "airbyte.jsonl", _cpu()
    with printed.open("wb") as out, sync.ground.log.open("ab") as log:
        began = time.perf_counter()
        done = subprocess.run(command, cwd=scratch, env=environment, stdout=out, stderr=log, timeout=READ_SECONDS, check=False)
        seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"airbyte-source-woocommerce ended with {done.returncode}; {sync.ground.last_words()}")
    return seconds, _cpu() - before, printed


def _cpu() -> float:
    """Seconds of CPU of all processes of ours that ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _is_right(python: str) -> bool:
    asked = subprocess.run([python, "-c", f"import sys; sys.exit(sys.version_info[:2] != {VERSION})"], capture_output=True, check=False)
    return asked.returncode == 0


def _call(name: str, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Skipped(f"{name} did not end within {INSTALL_SECONDS} s") from None
    if done.returncode:
        raise Skipped(f"{name} could not install it: {reason(done.stderr)}")
