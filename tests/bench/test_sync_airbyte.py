"""The peer that pip installs: when it is left out, what is installed first, and what counts as printed."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import sync_airbyte
from tests.bench.node import Skipped
from tests.bench.sync_airbyte import BUILDERS, LOCK, install, order_ids, pins, reason

PRETEND = f"""#!{sys.executable}
import shutil, sys, pathlib
words = sys.argv[1:]
with open({{calls!r}}, "a") as calls:
    print(*words, file=calls)
if words[0] == "-c":
    sys.exit({{is_wrong}})
if words[:2] == ["-m", "venv"]:
    place = pathlib.Path(words[-1]) / "bin"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(sys.argv[0], place / "python")
elif {{complaint!r}}:
    sys.exit({{complaint!r}})
"""


def pretend(directory: Path, complaint: str = "", *, is_wrong: bool = False) -> tuple[str, Path]:
    """A Python that makes environments of itself, whose pip does nothing or complains; its path, and what it was called with."""
    python, calls = directory / "pretend-python", directory / "calls"
    python.write_text(PRETEND.format(calls=str(calls), complaint=complaint, is_wrong=int(is_wrong)))
    python.chmod(0o755)
    return str(python), calls


def test_what_builds_comes_first_and_what_is_there_is_not_asked_for_again(tmp_path: Path) -> None:
    name, calls = pretend(tmp_path)
    python = install(tmp_path / "airbyte", [name])
    assert python == tmp_path / "airbyte" / "bin" / "python"
    _, venv, first, then = calls.read_text().splitlines()
    assert venv.startswith("-m venv")
    assert first.endswith(f"-r {tmp_path / 'airbyte' / 'builders.lock'}")
    assert then.endswith(f"--no-build-isolation -r {LOCK}")
    assert all("--require-hashes" in line for line in (first, then))
    calls.unlink()
    assert install(tmp_path / "airbyte", [name]) == python
    assert not calls.exists()


def test_another_lock_is_installed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, calls = pretend(tmp_path)
    install(tmp_path / "airbyte", [name])
    other = tmp_path / "airbyte.lock"
    other.write_text(LOCK.read_text() + "# changed\n")
    monkeypatch.setattr(sync_airbyte, "LOCK", other)
    calls.unlink()
    install(tmp_path / "airbyte", [name])
    assert "venv --clear" in calls.read_text()


def test_a_pip_that_cannot_install_is_a_reason_to_go_without_this_peer(tmp_path: Path) -> None:
    name, _ = pretend(
        tmp_path, "WARNING: odd\nERROR: see https://a.example/x\nERROR: No matching distribution found for airbyte-cdk==4.6.2"
    )
    with pytest.raises(Skipped, match=r"^pip could not install it: No matching distribution found for airbyte-cdk==4\.6\.2$"):
        install(tmp_path / "airbyte", [name])
    assert reason("Segmentation fault") == "it gave no reason"


def test_without_the_python_that_it_takes_this_peer_is_left_out(tmp_path: Path) -> None:
    name, _ = pretend(tmp_path, is_wrong=True)
    with pytest.raises(Skipped, match=r"it needs Python 3\.11, which is not on PATH"):
        install(tmp_path / "airbyte", [name, "no-such-python"])
    assert not (tmp_path / "airbyte").exists()


def test_an_order_counts_once_and_only_if_it_was_printed_as_a_record(tmp_path: Path) -> None:
    def message(kind: str, number: int, stream: str = "orders") -> dict[str, Any]:
        return {"type": kind, "record": {"stream": stream, "data": {"id": number, "note": "RECORD"}}}

    said = [message("RECORD", 7), message("RECORD", 8), message("RECORD", 7), message("STATE", 9), message("RECORD", 10, "customers")]
    printed = tmp_path / "printed"
    printed.write_text("".join(json.dumps(one) + "\n" for one in said) + "not JSON\n")
    assert order_ids(printed) == {7, 8}


def test_the_lock_names_no_place_and_pins_all_by_hash() -> None:
    text = LOCK.read_text()
    assert "://" not in text
    assert text.count("==") == len([block for block in text.split("\n") if block.endswith(" \\") and "==" in block])
    found = pins(text, BUILDERS)
    assert [line.partition("==")[0] for line in found.splitlines() if "==" in line] == list(BUILDERS)
    assert found.count("--hash=sha256:") >= len(BUILDERS)
    assert "airbyte-source-woocommerce==0.4.12 \\" in text
