"""Whatever a sender sends: never a 5xx, and what is authentic is kept byte for byte."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from connector.config import Settings
from connector.store.db import Database
from connector.store.sealed import Vault
from integrations.registry import make_platforms, make_transport
from tests.conftest import TestShop
from tests.fakes import sign
from tests.webhooks.stand import MAX_BODY, SHOPIFY, Stand, open_door

NAMES = st.sampled_from(
    [
        *sign(b""),
        *(b"content-type", b"content-length", b"content-encoding", b"user-agent", b"transfer-encoding"),
        *(b"x-wc-webhook-signature", b"x-wc-webhook-topic", b"x-wc-webhook-delivery-id", b"x-shopify-hmac-sha256", b"shopify-topic"),
    ]
) | st.binary(min_size=1, max_size=20)
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=80)), max_size=12)
BODIES = st.lists(st.binary(max_size=400), min_size=1, max_size=4)
FUZZ = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def paths(woo_shop: TestShop) -> st.SearchStrategy[str]:
    """Addresses near and far."""
    known = [SHOPIFY, f"/webhooks/woocommerce/{woo_shop.shop_key}", "/webhooks/woocommerce/x", "/webhooks/woocommerce"]
    return st.sampled_from(known) | st.text(max_size=40).map("/webhooks/{}".format)


def stored(db: Database) -> list[Any]:
    """The bodies in the inbox, which is emptied."""
    with db.system_transaction("look at the inbox") as session:
        bodies = list(session.execute(text("select body from delivery_bodies")).scalars())
        session.execute(text("delete from delivery_bodies"))
        session.execute(text("delete from deliveries"))
    return bodies


def test_nothing_that_is_sent_causes_a_5xx_or_is_kept_unsigned(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop, sandbox_settings: Settings
) -> None:
    platforms = make_platforms(sandbox_settings, make_transport(sandbox_settings))
    with asyncio.Runner() as runner:
        context = open_door(db.url, vault, platforms=platforms)
        stand: Stand = runner.run(context.__aenter__())

        @FUZZ
        @given(paths(woo_shop), HEADERS, BODIES, st.sampled_from(["POST", "POST", "POST", "GET", "X"]), st.booleans())
        @example(SHOPIFY, [(b"x-shopify-hmac-sha256", "é".encode())], [b"{}"], "POST", False)
        def send(path: str, headers: list[tuple[bytes, bytes]], pieces: list[bytes], method: str, hangs_up: bool) -> None:
            reply = runner.run(stand.post(headers, pieces, path, method=method, hangs_up=hangs_up))  # type: ignore[arg-type]
            assert reply.status in (0, 200, 401, 404, 405, 413, 415)
            assert reply.status != 200 or stand.door.counts["ping"]

        try:
            send()
        finally:
            runner.run(context.__aexit__(None, None, None))
    assert stored(db) == []


def test_what_is_authentic_is_kept_whatever_else_it_is(db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    woo = f"/webhooks/woocommerce/{woo_shop.shop_key}"
    texts = st.text(st.characters(max_codepoint=255), max_size=300)
    numbers = iter(range(10**9))
    with asyncio.Runner() as runner:
        context = open_door(db.url, vault)
        stand: Stand = runner.run(context.__aenter__())

        @FUZZ
        @given(st.booleans(), st.binary(max_size=2_000), texts, texts, st.lists(st.tuples(NAMES, st.binary(max_size=80)), max_size=6))
        @example(False, b"\x00", "\x00", "9999-12-31T23:59:59-23:59", [(b"user-agent", b"\x00\n\xff")])
        @example(True, b"", "a\x00" * 200, "0001-01-01T00:00:00+23:59", [])
        def deliver(is_woo: bool, body: bytes, topic: str, triggered_at: str, more: list[tuple[bytes, bytes]]) -> None:
            secret = woo_shop.webhook_secret.encode() if is_woo else b"fake app secret"
            genuine = sign(body, secret, topic=topic, shop=shopify_shop.domain, delivery=str(next(numbers)))
            genuine[b"x-shopify-triggered-at"] = triggered_at.encode("latin-1")
            others = [(name, value) for name, value in more if name not in (b"content-encoding", b"content-length", *genuine)]
            reply = runner.run(stand.post([*others, *genuine.items()], body, woo if is_woo else SHOPIFY))  # type: ignore[arg-type]
            assert reply.status == 200
            assert len(body) <= MAX_BODY
            assert stored(db) == [body]

        try:
            deliver()
        finally:
            runner.run(context.__aexit__(None, None, None))
