"""What comes to the door over a real socket, and is not what it should be. The table of expected answers is the specification's."""

import base64
import hmac
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.store import automations, shops
from connector.store.audit import Actor
from connector.store.db import Database
from tests.webhooks.running import (
    OLD_SECRET,
    SECRET,
    Reply,
    Running,
    head,
    read_reply,
    running,
    shopify_headers,
    signature,
    started,
    woo_headers,
)

PATH = "/webhooks/shopify"
BODY = (Path(__file__).parents[1] / "payloads" / "shopify" / "checkouts_update__guest_email_typed.json").read_bytes()


@pytest.fixture(scope="module")
def web(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process for all attacks."""
    with running(database_url, tmp_path_factory.mktemp("attacks"), SHOPIFY_OLD_CLIENT_SECRET=OLD_SECRET) as one:
        one.request("POST", PATH, shopify_headers(BODY), BODY)  # so that everything is loaded that will be
        one.settle()
        yield one


def post(web: Running, headers: dict[str, str], body: bytes = BODY, path: str = PATH) -> Reply:
    """Post to the door."""
    return web.request("POST", path, headers, body)


def keep(web: Running, body: bytes, headers: dict[str, str] | None = None, path: str = PATH) -> tuple[str, str | None]:
    """Post what is signed; it must be acknowledged. Then: what became of it."""
    rows = web.query("select count(*) from deliveries")
    assert post(web, headers or shopify_headers(body), body, path).status == 200
    assert web.query("select count(*) - 1 from deliveries") == rows
    found = web.last_delivery()
    assert web.process.poll() is None
    return found


FORGED = {
    "SEC-101": [None],
    "SEC-102": [base64.b64encode(bytes(32)).decode(), signature(BODY, "somebody else's secret")],
    "SEC-103": [hmac.digest(SECRET.encode(), BODY, "sha256").hex()],
    "SEC-104": [signature(BODY[:-2] + b" }", SECRET)],
    "SEC-105": [*(signature(BODY, SECRET)[:length] for length in (1, 4, 20, 43)), "", "v1,", "v1," + signature(BODY, SECRET)],
    "SEC-106": [signature(json.dumps(json.loads(BODY), sort_keys=True).encode(), SECRET)],
}


@pytest.mark.parametrize(
    ("given", "row"),
    [
        pytest.param(given, row, marks=pytest.mark.spec(row), id=f"{row}-{n}")
        for row, all_ in FORGED.items()
        for n, given in enumerate(all_)
    ],
)
def test_what_is_not_signed_as_it_stands_is_refused(web: Running, given: str | None, row: str) -> None:
    headers = {**shopify_headers(BODY), "X-Shopify-Hmac-Sha256": given or ""}
    if given is None:
        del headers["X-Shopify-Hmac-Sha256"]
    with web.unharmed():
        assert post(web, headers).status == 401


@pytest.mark.spec("SEC-104")
def test_one_changed_byte_anywhere_is_refused(web: Running) -> None:
    with web.unharmed():
        for place in range(0, len(BODY), len(BODY) // 20):
            body = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
            assert post(web, shopify_headers(BODY), body).status == 401


@pytest.mark.spec("SEC-107")
def test_an_empty_body_that_is_signed_is_kept_and_quarantined(web: Running) -> None:
    before = web.query("select id, source_version from checkouts order by id")
    assert keep(web, b"")[0] == "quarantined"
    assert keep(web, b"", woo_headers(b"", web.woo.webhook_secret), f"/webhooks/woocommerce/{web.woo.shop_key}")[0] == "quarantined"
    assert web.query("select id, source_version from checkouts order by id") == before


@pytest.mark.spec("SEC-108")
def test_the_secret_before_a_rotation_counts_until_it_is_over(web: Running, tmp_path: Path) -> None:
    assert keep(web, BODY, shopify_headers(BODY, OLD_SECRET))[0] == "applied"
    with started(web.url, tmp_path) as (port, process, log):
        after = Running(web.url, port, process, log, (web.shopify, web.woo, web.other_woo))
        with after.unharmed():
            assert post(after, shopify_headers(BODY, OLD_SECRET)).status == 401
        assert keep(after, BODY, shopify_headers(BODY))[0] == "applied"


@pytest.mark.spec("SEC-109")
def test_a_genuine_delivery_sent_again_after_three_days_changes_nothing(web: Running) -> None:
    database = Database(web.url)
    with database.transaction(shop=web.shopify.id) as session:
        automations.turn_on(session, shops.get_shop(session, web.shopify.id), Actor("test"))
    database.close()
    body = BODY.replace(b'"updated_at":"', b'"updated_at":"')
    headers = shopify_headers(body, delivery="a-delivery-to-be-replayed")
    assert keep(web, body, headers)[0] == "applied"
    clock(web, timedelta(days=3))
    try:
        time.sleep(1.5)  # what three days bring comes to its end
        web.settle()
        before = everything(web)
        for _ in range(3):
            assert post(web, headers, body).status == 200
        time.sleep(1.0)
        web.settle()
        assert everything(web) == before
    finally:
        clock(web, timedelta())


def clock(web: Running, ahead: timedelta) -> None:
    """Set the sandbox's clock."""
    web.query(f"update app_clock set ahead = interval '{int(ahead.total_seconds())} seconds' returning 1")


def everything(web: Running) -> dict[str, list[tuple[object, ...]]]:
    """All that a delivery may lead to."""
    tables = (
        "deliveries",
        "checkouts",
        "checkout_versions",
        "checkout_lines",
        "customers",
        "orders",
        "enrollments",
        "decisions",
        "messages",
    )
    return {name: web.query(f"select t::text from {name} t order by 1") for name in tables}


@pytest.mark.spec("SEC-110")
@pytest.mark.parametrize("topic", ["customers/data_request", "customers/redact", "shop/redact"])
def test_a_privacy_request_that_nobody_signed_is_refused(web: Running, topic: str) -> None:
    body = b'{"shop_domain": "demo.myshopify.com"}'
    with web.unharmed():
        assert post(web, {**shopify_headers(body, "wrong", topic=topic)}, body).status == 401


@pytest.mark.spec("SEC-111")
def test_woocommerces_greeting_is_answered_and_not_kept(web: Running) -> None:
    with web.unharmed():
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert post(web, form, b"webhook_id=7", f"/webhooks/woocommerce/{web.woo.shop_key}").status == 200
        assert post(web, form, b"webhook_id=7", "/webhooks/woocommerce/nobody").status == 404


@pytest.mark.spec("SEC-112")
def test_the_secret_of_another_shop_opens_no_door(web: Running) -> None:
    body = b'{"id": 1}'
    with web.unharmed():
        forged = woo_headers(body, web.other_woo.webhook_secret)
        assert post(web, forged, body, f"/webhooks/woocommerce/{web.woo.shop_key}").status == 401


@pytest.mark.spec("SEC-113")
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_webhooks_are_posted(web: Running, method: str) -> None:
    with web.unharmed():
        for path in (PATH, f"/webhooks/woocommerce/{web.woo.shop_key}"):
            answer = web.say(head(method, path, {**shopify_headers(BODY), "Connection": "close"}))
            assert (answer.status, answer.headers.get("allow")) == (405, "POST")


# ---------------------------------------------------------------- size and shape


@pytest.mark.spec("SEC-120")
def test_a_body_that_is_declared_too_large_is_refused_before_it_is_sent(web: Running) -> None:
    with web.unharmed():
        answer = web.say(head("POST", PATH, {**shopify_headers(BODY), "Content-Length": str(20 * 1024 * 1024)}), ends=True)
        assert (answer.status, answer.closed) == (413, True)
        assert answer.headers["connection"] == "close"


@pytest.mark.spec("SEC-120")
def test_who_sends_it_all_the_same_hears_the_answer(web: Running) -> None:
    body = bytes(20 * 1024 * 1024)
    with web.unharmed():
        answer = web.request("POST", PATH, shopify_headers(BODY), body)
        assert answer.status == 413


@pytest.mark.spec("SEC-121")
def test_an_endless_body_is_cut_at_the_limit(web: Running) -> None:
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    headers = shopify_headers(BODY) | {"Transfer-Encoding": "chunked"}
    with web.unharmed(), web.connect() as line:
        began, sent = time.monotonic(), 0
        line.sendall(head("POST", PATH, headers))
        try:
            while sent < 200 * 1024 * 1024:
                line.sendall(chunk)
                sent += 65_536
        except OSError:
            pass
        answer = read_reply(line, began, ends=True)
        assert sent < 50 * 1024 * 1024
        assert answer.closed
        assert answer.status in (413, 0), "the answer may be lost where the sender never stops to listen"


@pytest.mark.spec("SEC-121")
def test_the_limit_of_an_endless_body_is_said_to_who_listens(web: Running) -> None:
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    with web.unharmed():
        data = head("POST", PATH, shopify_headers(BODY) | {"Transfer-Encoding": "chunked"}) + chunk * 81
        answer = web.say(data, ends=True)
        assert (answer.status, answer.closed) == (413, True)


@pytest.mark.spec("SEC-121", "SEC-129")
@pytest.mark.parametrize("frame", [b"x-more: " + b"y" * 200 + b"\r\n", b"y" * 1000])
def test_endless_trailers_are_cut(web: Running, frame: bytes) -> None:
    start = (
        head("POST", PATH, shopify_headers(BODY) | {"Transfer-Encoding": "chunked"})
        + b"1\r\nx\r\n0\r\n"
        + (b"" if b":" in frame else b"a: ")
    )
    with web.unharmed(), web.connect() as line:
        began, sent = time.monotonic(), 0
        line.sendall(start)
        try:
            while sent < 200 * 1024 * 1024:
                line.sendall(frame * 50)
                sent += len(frame) * 50
        except OSError:
            pass
        assert read_reply(line, began, ends=True).closed
        assert sent < 50 * 1024 * 1024


DEEP = b"[" * 100_000 + b"]" * 100_000
ODD = {
    "SEC-123": {
        "deep": DEEP,
        "deep objects": b'{"id":' * 100_000 + b"1" + b"}" * 100_000,
        "deep inside": b'{"id": 1, "line_items": ' + DEEP + b"}",
    },
    "SEC-124": {
        "long id": BODY.replace(b'"product_id":', b'"product_id":' + b"9" * 5_000 + b',"was":', 1),
        "long integer": BODY.replace(b'"quantity":', b'"quantity":' + b"9" * 5_000 + b',"was":', 1),
        "beyond floats": BODY.replace(b'"total_price":"', b'"total_price":1e400000,"was":"', 1),
        "NaN": BODY.replace(b'"total_price":"', b'"total_price":NaN,"was":"', 1),
        "Infinity": BODY.replace(b'"total_price":"', b'"total_price":-Infinity,"was":"', 1),
    },
    "SEC-125": {
        "no UTF-8": b'{"id": 1, "email": "\xff\xfe\x80@example.test"}',
        "BOM": b"\xef\xbb\xbf" + BODY,
        "UTF-16": BODY.decode().encode("utf-16"),
        "half a pair": b'{"id": 1, "email": "\\ud800@example.test"}',
        "NUL": b'{"id": 1, "token": "a\\u0000b"}',
    },
}


@pytest.mark.parametrize(
    "body",
    [pytest.param(body, marks=pytest.mark.spec(row), id=f"{row} {name}") for row, bodies in ODD.items() for name, body in bodies.items()],
)
def test_what_is_signed_but_odd_is_acknowledged_and_quarantined(web: Running, body: bytes) -> None:
    memory, canonical = web.memory(), web.query("select id, source_version from checkouts order by id")
    assert body not in (b"", BODY)
    assert keep(web, body)[0] == "quarantined"
    woo = f"/webhooks/woocommerce/{web.woo.shop_key}"
    assert keep(web, body, woo_headers(body, web.woo.webhook_secret), woo)[0] == "quarantined"
    assert web.query("select id, source_version from checkouts order by id") == canonical
    assert web.memory() - memory < 50 * 1024
    assert keep(web, BODY)[0] == "applied", "others go on"


@pytest.mark.spec("SEC-126")
def test_an_encoded_body_is_refused_unread(web: Running) -> None:
    bomb = subprocess.run(["gzip", "-9"], input=bytes(50 * 1024 * 1024), capture_output=True, check=True).stdout
    with web.unharmed():
        for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
            assert post(web, {**shopify_headers(bomb), "Content-Encoding": encoding}, bomb).status == 415


# ---------------------------------------------------------------- slow


@pytest.mark.spec("SEC-122")
def test_slow_senders_are_cut_and_delay_nobody(web: Running) -> None:
    with web.unharmed():
        lines = [web.connect(40.0) for _ in range(500)]
        began = time.monotonic()
        partial = head("POST", PATH, {**shopify_headers(BODY), "Content-Length": str(len(BODY))})
        for number, line in enumerate(lines):  # half are slow in the head, half in the body
            line.sendall(partial[:60] if number % 2 else partial + BODY[:10])
        ended = threading.Event()
        dripping = threading.Thread(target=drip, args=(lines, ended), daemon=True)
        dripping.start()
        seconds = []
        while time.monotonic() - began < 5:
            answer = web.request("GET", "/livez")
            assert answer.status == 200
            seconds.append(answer.seconds)
            time.sleep(0.01)
        assert sorted(seconds)[int(len(seconds) * 0.99)] < 1.0
        replies = [read_reply(line, began, ends=True) for line in lines]
        took = time.monotonic() - began
        ended.set()
        dripping.join()
        for line in lines:
            line.close()
        assert took <= 30
        assert all(reply.closed for reply in replies)
        assert {reply.status for reply in replies} == {408}


def drip(lines: list["object"], ended: threading.Event) -> None:
    """A byte every ten seconds on each line."""
    while not ended.wait(10):
        for line in lines:
            try:
                line.send(b"x")  # type: ignore[attr-defined]
            except OSError:
                continue
