"""The forms in which we run: one process with everything, and the Procfile's roles on a shared database and a real broker."""

import base64
import hmac
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from connector.store import migrate, shops
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.conftest import SEALING_KEY, install
from tests.valkey import free_port, valkey

ROOT = Path(__file__).resolve().parents[2]
PAYLOAD = (ROOT / "tests" / "payloads" / "shopify" / "checkouts_update__guest_email_typed.json").read_bytes()
SECRET = "a-secret-of-this-test"


@contextmanager
def role(name: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`connector NAME` as a process of its own, ended by SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from connector.cli import app; app()", name],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=40)
        sys.stdout.buffer.write(output)


def eventually(claim: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.05)


def is_up(port: int, path: str = "/livez") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def deliver(port: int, body: bytes = PAYLOAD) -> int:
    """One signed Shopify webhook."""
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": "checkouts/update",
        "X-Shopify-Shop-Domain": "demo.myshopify.com",
        "X-Shopify-Webhook-Id": str(uuid.uuid4()),
        "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode(),
    }
    request = urllib.request.Request(f"http://127.0.0.1:{port}/webhooks/shopify", data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return int(answer.status)


def count(url: str, query: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])


def test_web_worker_and_scheduler_work_together_on_a_real_broker(database_url: str, tmp_path: Path) -> None:
    url = migrate.recreate(database_url, f"roles_{os.getpid()}")
    migrate.upgrade(url, sandbox=True)
    port = free_port()
    with valkey(tmp_path) as redis_url:
        shared = {
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "SANDBOX": "true",
            "SEALING_KEY": SEALING_KEY,
            "SHOPIFY_CLIENT_SECRET": SECRET,
            "DATA_DIR": str(tmp_path),
            "PORT": str(port),
            "WORKER_THREADS": "2",
        }
        database = Database(url)
        install(database, Vault([SEALING_KEY]), "shopify", "demo.myshopify.com", "Demo")
        with role("web", shared), role("worker", shared), role("scheduler", shared):
            eventually(lambda: is_up(port, "/readyz"))
            assert deliver(port) == 200
            eventually(lambda: count(url, "select count(*) from checkouts") == 1)
            eventually(lambda: count(url, "select count(*) from deliveries where state = 'applied'") == 1)
        database.close()


def test_work_that_no_bell_rang_for_is_found_by_the_scheduler(database_url: str, tmp_path: Path) -> None:
    url = migrate.recreate(database_url, f"lost_{os.getpid()}")
    migrate.upgrade(url, sandbox=True)
    port = free_port()
    database = Database(url)
    install(database, Vault([SEALING_KEY]), "shopify", "demo.myshopify.com", "Demo")
    base = {"DATABASE_URL": url, "SANDBOX": "true", "SEALING_KEY": SEALING_KEY, "SHOPIFY_CLIENT_SECRET": SECRET, "PORT": str(port)}
    base["DATA_DIR"] = str(tmp_path)
    with role("web", base | {"REDIS_URL": "redis://127.0.0.1:1/0"}):
        eventually(lambda: is_up(port))
        assert deliver(port) == 200, "an acknowledged delivery does not need the doorbell"
        assert count(url, "select count(*) from deliveries where state = 'pending'") == 1
    with valkey(tmp_path) as redis_url:
        shared = base | {"REDIS_URL": redis_url}
        with role("worker", shared), role("scheduler", shared):
            eventually(lambda: count(url, "select count(*) from deliveries where state = 'applied'") == 1)
    with database.system_transaction("look at the shop") as session:
        assert [shop.state for shop in shops.list_shops(session)] == ["connected"]
    database.close()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that the database's account can enter (those of `tmp_path` are closed to it)."""
    with tempfile.TemporaryDirectory(prefix="connector-test-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_serve_needs_nothing_but_a_directory(open_directory: Path) -> None:
    port = free_port()
    with role("serve", {"DATA_DIR": str(open_directory / "var"), "PORT": str(port)}) as process:
        eventually(lambda: is_up(port, "/readyz"))
    assert process.returncode == 0
    assert (open_directory / "var" / "sealing.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["web", "worker", "scheduler"])
def test_a_role_alone_says_what_it_needs(name: str, tmp_path: Path) -> None:
    with role(name, {"DATA_DIR": str(tmp_path)}) as process:
        assert process.wait(timeout=30) == 1
        assert process.stdout is not None
        assert b"set DATABASE_URL and REDIS_URL" in process.stdout.read()


def test_a_sandbox_setting_outside_the_sandbox_is_refused(tmp_path: Path) -> None:
    with role("serve", {"DATA_DIR": str(tmp_path), "ADDRESS_MAP": '{"demo.myshopify.com": "127.0.0.1:1"}'}) as process:
        assert process.wait(timeout=30) == 2
        assert process.stdout is not None
        assert b"ADDRESS_MAP may be set only together with SANDBOX=true" in process.stdout.read()
