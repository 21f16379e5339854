"""
The peer in Node: Express, Shopify's own library and BullMQ, from `express/`, installed by npm under var/bench.

Redis keeps everything in memory here, which is in the peer's favour: what it acknowledges would not outlive Redis.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import processes
from tests.bench.ground import Ground

SOURCE = Path(__file__).parent / "express"
FILES = ("package.json", "server.mjs")
INSTALL_SECONDS = 120
INSTALL = (
    *("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--no-update-notifier", "--ignore-scripts"),
    *("--loglevel", "error", "--fetch-retries", "0"),
)


class Skipped(Exception):
    """Why this peer did not take part."""


@contextmanager
def serve(ground: Ground) -> Iterator[int]:
    """The server's port once it listens. Raises Skipped if it cannot be installed or does not start here."""
    directory = ground.directory / "express"
    install(directory)
    with ExitStack() as stack:
        try:
            port = stack.enter_context(processes.node(ground, directory / "server.mjs"))
        except processes.NotStarted as error:
            raise Skipped(f"Node did not start it: {error}") from error
        yield port


def install(directory: Path) -> None:
    """Bring the server and its packages into `directory`; nothing is fetched if they are there. Raises Skipped with npm's reason."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Skipped("node or npm is not on PATH")
    directory.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(SOURCE / name, directory / name)
    if is_installed(directory):
        return
    try:
        done = subprocess.run(INSTALL, cwd=directory, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Skipped(f"npm could not install it within {INSTALL_SECONDS} s") from None
    if done.returncode or not is_installed(directory):
        raise Skipped(f"npm could not install it: {reason(done.stderr)}")


def is_installed(directory: Path) -> bool:
    """True if each package that is asked for is there in exactly that version."""
    wanted: dict[str, str] = json.loads((directory / "package.json").read_text())["dependencies"]
    return all(_version(directory / "node_modules" / name / "package.json") == version for name, version in wanted.items())


def reason(complaint: str) -> str:
    """npm's complaint in one line, without its own markers and addresses."""
    lines = [line.split("error", 1)[1].strip() for line in complaint.splitlines() if line.startswith("npm error ")]
    told = [line for line in lines if line and "://" not in line and not line.startswith("A complete log")]
    return "; ".join(told) or "it gave no reason"


def _version(path: Path) -> str | None:
    return str(json.loads(path.read_text())["version"]) if path.exists() else None
