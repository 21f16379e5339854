"""What the door answers, and what it keeps."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from connector.store.db import Database
from connector.store.sealed import Vault
from tests.conftest import TestShop
from tests.fakes import FORM, FakePlatform, sign
from tests.webhooks.stand import BODY, MAX_BODY, SHOPIFY, FakeKeeper, kept, open_door, woo_path, woo_sign
from webhooks import door as door_module
from webhooks.directory import ShopDirectory
from webhooks.door import Door
from webhooks.inbox import Inbox

pytestmark = pytest.mark.anyio


async def test_a_genuine_delivery_is_kept_with_its_exact_bytes(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    body = b'{"id": 1, "note": "caf\xc3\xa9 \xff\x00"}'
    async with open_door(db.url, vault) as stand:
        reply = await stand.post(sign(body, shop=shopify_shop.domain), body)
    assert (reply.status, reply.body) == (200, b"")
    [row] = kept(db)
    assert (row["body"], row["shop_id"], row["platform"], row["topic"]) == (body, shopify_shop.id, "shopify", "checkouts/update")
    assert (row["state"], row["attempts"], row["handled_at"]) == ("pending", 0, None)
    assert row["triggered_at"] == datetime(2026, 11, 21, 10, 15, 30, tzinfo=UTC)
    assert row["received_on"] == row["received_at"].astimezone(UTC).date()
    assert abs((datetime.now(UTC) - row["received_at"]).total_seconds()) < 60


async def test_a_delivery_in_many_pieces_is_put_together(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    async with open_door(db.url, vault) as stand:
        reply = await stand.post(sign(BODY, shop=shopify_shop.domain), [BODY[:10], b"", BODY[10:30], BODY[30:]])
    assert reply.status == 200
    assert [row["body"] for row in kept(db)] == [BODY]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"not json"])
async def test_an_authentic_body_is_never_refused_for_its_content(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop, body: bytes
) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(sign(body, shop=shopify_shop.domain), body)).status == 200
        assert (await stand.post(woo_sign(woo_shop, body), body, woo_path(woo_shop))).status == 200
    assert [row["body"] for row in kept(db)] == [body, body]


@pytest.mark.parametrize(
    "broken",
    [
        {b"x-shopify-hmac-sha256": b""},
        {b"x-shopify-hmac-sha256": b"0" * 64},
        {b"x-shopify-hmac-sha256": b"\xff\xe9" * 32},
        {b"x-shopify-hmac-sha256": sign(BODY)[b"x-shopify-hmac-sha256"][:-1]},
        {b"x-shopify-hmac-sha256": sign(BODY, b"another secret")[b"x-shopify-hmac-sha256"]},
    ],
)
async def test_a_wrong_signature_is_refused_and_nothing_kept(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop, broken: dict[bytes, bytes]
) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post({**sign(BODY, shop=shopify_shop.domain), **broken})).status == 401
        assert (await stand.post({**woo_sign(woo_shop), **broken}, path=woo_path(woo_shop))).status == 401
        assert (await stand.post({})).status == 401
        assert stand.door.counts["unsigned"] == 3
    assert kept(db) == []


async def test_without_an_app_secret_the_door_is_closed(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    for secrets in ((), (b"",)):
        async with open_door(db.url, vault, platforms={"shopify": FakePlatform(secrets=secrets)}) as stand:
            assert (await stand.post(sign(BODY, b"", shop=shopify_shop.domain))).status == 401


async def test_what_an_adapter_stumbles_over_is_not_genuine(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    class Stumbling(FakePlatform):
        def verify(self, *given: Any) -> Any:
            raise TypeError("comparing strings with non-ASCII characters is not supported")

    async with open_door(db.url, vault, platforms={"shopify": Stumbling()}) as stand:
        assert (await stand.post(sign(BODY, shop=shopify_shop.domain))).status == 401


async def test_a_delivery_for_an_unknown_shop_is_answered_and_counted_but_not_kept(db: Database, vault: Vault) -> None:
    async with open_door(db.url, vault) as stand:
        for number in range(3):
            reply = await stand.post(sign(BODY, shop="stranger.myshopify.com", delivery=f"d{number}"))
            assert reply.status == 200
        assert stand.door.counts["unknown_shop"] == 3
    assert kept(db) == []
    with db.system_transaction("look at the figures") as session:
        rows = session.execute(text("select platform, shop_ref, topic, count from unknown_shops")).all()
    assert rows == [("shopify", "stranger.myshopify.com", "checkouts/update", 3)]


async def test_a_privacy_request_is_kept_even_for_an_unknown_shop(db: Database, vault: Vault) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(sign(BODY, topic="shop/redact", shop="stranger.myshopify.com"))).status == 200
        assert stand.woken == []
    [row] = kept(db)
    assert (row["shop_id"], row["topic"], row["state"]) == (None, "shop/redact", "pending")


@pytest.mark.parametrize("state", ["uninstalled", "needs_sign_in"])
async def test_a_shop_that_lost_its_access_still_delivers(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop, state: str
) -> None:
    with db.system_transaction("change the shops") as session:
        session.execute(text("update shops set state = :state, credentials = null"), {"state": state})
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(sign(BODY, shop=shopify_shop.domain))).status == 200
        assert (await stand.post(woo_sign(woo_shop), path=woo_path(woo_shop))).status == 200
    assert [row["shop_id"] for row in kept(db)] == [shopify_shop.id, woo_shop.id]


async def test_an_address_of_no_shop_is_not_found(db: Database, vault: Vault, woo_shop: TestShop) -> None:
    async with open_door(db.url, vault) as stand:
        for key in ("nobody", "x" * 128, woo_shop.shop_key.upper()):
            assert (await stand.post(woo_sign(woo_shop), path=f"/webhooks/woocommerce/{key}")).status == 404
        assert stand.door.counts["no_shop"] == 3


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/",
        "/webhooks/magento",
        "/webhooks/shopify/",
        "/webhooks/shopify/some-key",
        "/webhooks/woocommerce",
        "/webhooks/woocommerce/",
        "/webhooks/woocommerce/a/b",
        "/webhooks/woocommerce/a%00",
        "/webhooks/woocommerce/\x00",
        "/webhooks/woocommerce/é",
        "/webhooks/woocommerce/" + "x" * 129,
    ],
)
async def test_there_is_no_door_at_any_other_address(db: Database, vault: Vault, path: str) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(sign(BODY), path=path)).status == 404
        assert stand.door.counts["no_door"] == 1


@pytest.mark.parametrize("path", ["/", "/webhooks", "/shops", "/webhook/shopify"])
async def test_everything_else_passes_to_the_inner_application(db: Database, vault: Vault, path: str) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post({}, path=path)).status == 418
        assert sum(stand.door.counts.values()) == 0


async def test_the_lifespan_is_the_inner_applications_business() -> None:
    seen: list[str] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    door = Door({}, Inbox(FakeKeeper(), seen.append), ShopDirectory(None, None), MAX_BODY, inner)  # type: ignore[arg-type]
    for kind in ("lifespan", "websocket"):
        await door({"type": kind, "path": SHOPIFY}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan", "websocket"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post"])
async def test_only_post_is_allowed(db: Database, vault: Vault, woo_shop: TestShop, method: str) -> None:
    async with open_door(db.url, vault) as stand:
        for path in (SHOPIFY, woo_path(woo_shop)):
            reply = await stand.post(sign(BODY), path=path, method=method)
            assert (reply.status, reply.headers[b"allow"]) == (405, b"POST")


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"\xff"])
async def test_an_encoded_body_is_refused_unread(db: Database, vault: Vault, shopify_shop: TestShop, encoding: bytes) -> None:
    async with open_door(db.url, vault) as stand:
        reply = await stand.post({**sign(BODY, shop=shopify_shop.domain), b"content-encoding": encoding}, [])
    assert reply.status == 415


@pytest.mark.parametrize("encoding", [b"identity", b" Identity ", b""])
async def test_an_identity_encoding_is_none(db: Database, vault: Vault, shopify_shop: TestShop, encoding: bytes) -> None:
    async with open_door(db.url, vault) as stand:
        reply = await stand.post({**sign(BODY, shop=shopify_shop.domain), b"content-encoding": encoding})
    assert reply.status == 200


async def test_a_declared_length_beyond_the_limit_is_refused_unread(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    headers = {**sign(BODY, shop=shopify_shop.domain), b"content-length": str(MAX_BODY + 1).encode()}
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(headers, [])).status == 413


@pytest.mark.parametrize("declared", [b"", b"-5", b"lots", b"9" * 30, "²".encode()])
async def test_a_strange_declared_length_is_no_reason_to_stumble(
    db: Database, vault: Vault, shopify_shop: TestShop, declared: bytes
) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post({**sign(BODY, shop=shopify_shop.domain), b"content-length": declared})).status in (200, 413)


async def test_a_body_that_grows_beyond_the_limit_is_refused_without_reading_on(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    piece = b"x" * 4_000
    async with open_door(db.url, vault) as stand:
        left: list[bytes] = []

        async def endless(path: str) -> int:
            left[:] = [piece] * 100
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": left.pop(), "more_body": True}

            async def send(message: Any) -> None:
                sent.append(message)

            await stand.door({"type": "http", "method": "POST", "path": path, "headers": []}, receive, send)
            return int(sent[0]["status"])

        assert await endless(SHOPIFY) == 413
        assert len(left) == 97
        assert await endless(woo_path(woo_shop)) == 413
        body = b"x" * MAX_BODY
        assert (await stand.post(sign(body, shop=shopify_shop.domain), body)).status == 200
        assert (await stand.post(sign(body + b"x", shop=shopify_shop.domain), body + b"x")).status == 413
    assert [len(row["body"]) for row in kept(db)] == [MAX_BODY]


async def test_a_sender_that_hangs_up_while_sending_leaves_nothing(
    db: Database, vault: Vault, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    async with open_door(db.url, vault) as stand:
        for pieces in ([BODY], [BODY, b""]):
            assert (await stand.post(sign(BODY, shop=shopify_shop.domain), pieces, hangs_up=True)).status == 0
            assert (await stand.post(woo_sign(woo_shop), pieces, woo_path(woo_shop), hangs_up=True)).status == 0
        assert stand.door.counts["disconnected"] == 4
    assert kept(db) == []


async def test_a_ping_is_greeted_and_not_kept(db: Database, vault: Vault, woo_shop: TestShop) -> None:
    headers = {b"content-type": FORM}
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(headers, b"webhook_id=7", woo_path(woo_shop))).status == 200
        assert stand.door.counts["ping"] == 1
        assert (await stand.post(headers, b"webhook_id=7", "/webhooks/woocommerce/nobody")).status == 404
        assert (await stand.post(headers, b"webhook_id=7")).status == 401
    assert kept(db) == []


async def test_headers_are_kept_without_signatures_and_without_strangers(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    headers = {
        **sign(BODY, shop=shopify_shop.domain),
        b"shopify-hmac-sha256": b"secret one",
        b"x-wc-webhook-signature": b"secret two",
        b"x-wc-webhook-source": b"https://shop.example/\xe9",
        b"user-agent": b"A\x00B\r\nx-forged: yes\x9f",
        b"authorization": b"Bearer x",
        b"cookie": b"a=b",
        b"x-forwarded-for": b"203.0.113.7",
    }
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(headers)).status == 200
    [row] = kept(db)
    assert row["headers"].splitlines() == [
        "content-type: application/json",
        "x-shopify-topic: checkouts/update",
        f"x-shopify-shop-domain: {shopify_shop.domain}",
        "x-shopify-webhook-id: delivery-1",
        "x-shopify-triggered-at: 2026-11-21T10:15:30Z",
        "x-wc-webhook-source: https://shop.example/é",
        "user-agent: ABx-forged: yes",
    ]


async def test_invented_header_names_are_not_remembered_for_ever(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    invented = {b"x-invented-%d" % number: b"1" for number in range(3_000)}
    async with open_door(db.url, vault) as stand:
        assert (await stand.post({**invented, **sign(BODY, shop=shopify_shop.domain)})).status == 200
    assert len(door_module._LINES) <= door_module.MOST_NAMES
    assert "x-invented" not in kept(db)[0]["headers"]


async def test_no_more_headers_are_kept_than_anybody_reads(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    headers = {**sign(BODY, shop=shopify_shop.domain), b"x-shopify-long": b"x" * 60_000}
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(headers)).status == 200
    assert len(kept(db)[0]["headers"]) < 17_000


async def test_a_topic_is_cut_and_freed_of_what_the_database_cannot_hold(db: Database, vault: Vault, shopify_shop: TestShop) -> None:
    async with open_door(db.url, vault) as stand:
        assert (await stand.post(sign(BODY, topic="a\x00é" + "b" * 300, shop=shopify_shop.domain))).status == 200
        assert (await stand.post(sign(BODY, shop="stran\x00ger", delivery="d2"))).status == 200
    assert [row["topic"] for row in kept(db)] == ["aé" + "b" * 253]
