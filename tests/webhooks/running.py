"""A whole process, as `connector serve` starts it, behind a real socket; and what an attack must leave as it was."""

import base64
import hmac
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from connector.store import migrate
from connector.store.db import Database
from connector.store.sealed import Vault
from tests.conftest import SEALING_KEY, TestShop, install
from tests.valkey import free_port

ROOT = Path(__file__).resolve().parents[2]
SECRET = "the-secret-of-this-app"
OLD_SECRET = "the-secret-before-it"
CANARIES = (SECRET, OLD_SECRET, SEALING_KEY, "token-of-")
MOST_GROWTH = 50 * 1024
"""KiB of memory that an attack may cost."""
COUNTED = ("accounts", "shops", "deliveries", "delivery_bodies", "checkouts", "customers", "contacts", "orders", "messages", "decisions")


@dataclass(frozen=True)
class Reply:
    """The first answer on a connection. Status 0: there was none. `rest`: what came after it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    closed: bool


class Running:
    """The process, its database and its shops."""

    def __init__(self, url: str, port: int, process: "subprocess.Popen[bytes]", log: Path, shops: tuple[TestShop, ...]) -> None:
        self.url, self.port, self.process, self.log = url, port, process, log
        self.shopify, self.woo, self.other_woo = shops

    def connect(self, seconds: float = 10.0) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def say(self, data: bytes, *, seconds: float = 10.0, ends: bool = False) -> Reply:
        """Send bytes as they are and read one answer; `ends`: then wait until the connection is closed, too."""
        began = time.monotonic()
        with self.connect(seconds) as line:
            with suppress(OSError):  # it may have heard enough
                line.sendall(data)
            return read_reply(line, began, ends=ends)

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        """A well-formed request."""
        return self.say(head(method, path, {"Content-Length": str(len(body)), **(headers or {})}) + body)

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Rows, as the owner of the tables."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    def memory(self) -> int:
        """KiB that it has in memory."""
        return int(subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, check=True, text=True).stdout)

    def counts(self) -> dict[str, object]:
        """How many rows each table has, and what states deliveries are in."""
        found = {name: self.query(f"select count(*) from {name}") for name in COUNTED}
        return {**found, "states": self.query("select state, count(*) from deliveries group by 1 order by 1")}

    def last_delivery(self) -> tuple[str, str | None]:
        """State and reason of the delivery that came last, once it is handled."""
        deadline = time.monotonic() + 20
        while True:
            [(state, reason)] = self.query("select state, reason from deliveries order by id desc limit 1")
            if state != "pending" or time.monotonic() > deadline:
                return str(state), None if reason is None else str(reason)
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until nothing waits."""
        deadline = time.monotonic() + 20
        while self.query("select 1 from deliveries where state = 'pending' limit 1") or self.query(
            "select 1 from checkouts where due_at <= app_now() limit 1"
        ):
            assert time.monotonic() < deadline, "something waits for ever"
            time.sleep(0.05)

    def terminate(self) -> float:
        """SIGTERM; the seconds until it had ended."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(35)
        return time.monotonic() - began

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """What happens inside changes no row, costs no lasting memory, and writes no secret into the log."""
        rows, memory = self.counts(), self.memory()
        yield
        assert self.counts() == rows
        assert self.memory() - memory < MOST_GROWTH
        assert self.process.poll() is None
        written = self.log.read_text()
        assert not [canary for canary in CANARIES if canary in written]


@contextmanager
def running(database_url: str, directory: Path, name: str = "serve", **environment: str) -> Iterator[Running]:
    """`connector serve` on a database of its own with a Shopify shop and two WooCommerce shops."""
    url = migrate.recreate(database_url, f"{directory.name.replace('-', '_')}_{os.getpid()}")
    migrate.upgrade(url, sandbox=True)
    database, vault = Database(url), Vault([SEALING_KEY])
    shops = (
        install(database, vault, "shopify", "demo.myshopify.com", "Demo"),
        install(database, vault, "woocommerce", "boutique.test", "Boutique"),
        install_other(database, vault),
    )
    database.close()
    with started(url, directory, name, **environment) as (port, process, log):
        yield Running(url, port, process, log, shops)


@contextmanager
def started(url: str, directory: Path, name: str = "serve", **environment: str) -> Iterator[tuple[int, "subprocess.Popen[bytes]", Path]]:
    """A role on a database that is there; ready when this returns."""
    port, log = free_port(), directory / f"{name}.log"
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": url,
        "SANDBOX": "true",
        "SEALING_KEY": SEALING_KEY,
        "SHOPIFY_CLIENT_ID": "client",
        "SHOPIFY_CLIENT_SECRET": SECRET,
        "DATA_DIR": str(directory),
        "PORT": str(port),
        "DRAIN_SECONDS": "0",
        **environment,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from connector.cli import app; app()", name],
            cwd=ROOT,
            env=settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        if name in ("serve", "web"):
            wait_until(lambda: status_of(port, "/readyz") == 200, process)
        yield port, process, log
    finally:
        process.terminate()
        try:
            process.wait(35)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        sys.stdout.write(log.read_text())


def install_other(database: Database, vault: Vault) -> TestShop:
    """A second WooCommerce shop with a secret of its own."""
    shop = install(database, vault, "woocommerce", "autre.test", "Autre")
    secret = "anotherSecretOfAnotherShop"
    with database.engine.begin() as connection:
        connection.exec_driver_sql("update shops set webhook_secret = %s where id = %s", (vault.seal({"secret": secret}), shop.id))
    return TestShop(shop.id, shop.platform, shop.domain, shop.shop_key, secret)


def wait_until(claim: Callable[[], bool], process: "subprocess.Popen[bytes]", seconds: float = 30.0) -> None:
    """Until it is so, or the process has ended."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert process.poll() is None, "the process has ended"
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.02)


def status_of(port: int, path: str, seconds: float = 3.0) -> int:
    """The status of a GET, 0 without an answer."""
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
            line.sendall(head("GET", path, {}))
            return read_reply(line, began).status
    except OSError:
        return 0


def head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """A request head."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode("latin-1")


def read_reply(line: socket.socket, began: float, *, ends: bool = False) -> Reply:
    """One answer off a connection."""
    data, closed = b"", False

    def more() -> bool:
        nonlocal data, closed
        try:
            piece = line.recv(65_536)
        except TimeoutError:
            return False
        except OSError:
            piece = b""
        data += piece
        closed = not piece
        return bool(piece)

    while b"\r\n\r\n" not in data and more():
        pass
    top, _, rest = data.partition(b"\r\n\r\n")
    if not top.startswith(b"HTTP/1.1 "):
        return Reply(0, {}, data, time.monotonic() - began, closed)
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in lines)}
    length = int(headers.get("content-length", "0"))
    while len(data) - len(top) - 4 < length and more():
        pass
    seconds = time.monotonic() - began
    while ends and not closed and more():
        pass
    rest = data[len(top) + 4 :]
    return Reply(int(first.split()[1]), headers, rest[:length], seconds, closed)


def shopify_headers(body: bytes, secret: str = SECRET, *, topic: str = "checkouts/update", delivery: str | None = None) -> dict[str, str]:
    """The headers of a signed delivery of the demo shop."""
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": "demo.myshopify.com",
        "X-Shopify-Webhook-Id": delivery or str(uuid.uuid4()),
        "X-Shopify-Hmac-Sha256": signature(body, secret),
    }


def woo_headers(body: bytes, secret: str) -> dict[str, str]:
    """The headers of a signed delivery of a WooCommerce shop."""
    return {
        "Content-Type": "application/json",
        "X-WC-Webhook-Topic": "order.updated",
        "X-WC-Webhook-Delivery-ID": uuid.uuid4().hex,
        "X-WC-Webhook-Signature": signature(body, secret),
    }


def signature(body: bytes, secret: str) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
