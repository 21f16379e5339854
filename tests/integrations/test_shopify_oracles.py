"""Our verdicts compared with Shopify's own Python libraries, which do not run in production."""

import base64
import hmac
import json
import warnings
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from pydantic import SecretStr

from connector.config import Settings
from connector.platforms import BadSignature
from integrations.shopify.install import begin
from integrations.shopify.signature import verify_query, verify_webhook
from tests.integrations.test_shopify_install import CALLBACK, NOW, SHOP, STATE, signed

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shopify
    import shopify_app

BODY = json.dumps({"token": "1", "email": "anna@example.org", "note": "é €"}, ensure_ascii=False)


@pytest.fixture
def old_library() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shopify.Session.setup(api_key="client-id-123", secret="hush")
    module: ModuleType = shopify
    return module


def test_our_permission_address_is_the_one_shopifyapi_makes(old_library: ModuleType) -> None:
    settings = Settings(
        shopify_client_id="client-id-123", shopify_client_secret=SecretStr("hush"), shopify_scopes="read_orders,read_products"
    )
    ours = urlsplit(begin(signed(), STATE, CALLBACK, NOW, settings).url)
    session = old_library.Session(SHOP, "2026-10")
    theirs = urlsplit(session.create_permission_url(["read_orders", "read_products"], CALLBACK, STATE))
    assert (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)
    assert ours.path.removeprefix("/admin") == theirs.path.removeprefix("/admin")
    assert dict(parse_qsl(ours.query)) == dict(parse_qsl(theirs.query))


@pytest.mark.parametrize("extra", [{}, {"host": "YWRtaW4uc2hvcGlmeS5jb20"}, {"new": "x-1_2.3"}, {"empty": ""}])
def test_query_verdicts_agree_with_shopifyapi(old_library: ModuleType, extra: dict[str, str]) -> None:
    genuine = dict(signed(state=STATE, code="0907a61c", **extra))
    forged = genuine | {"shop": "evil.myshopify.com"}
    for query, verdict in ((genuine, True), (forged, False), (genuine | {"more": "1"}, False)):
        assert old_library.Session.validate_hmac(dict(query)) is verdict
        assert verify_query(list(query.items()), [b"hush"]) is verdict


@pytest.mark.parametrize("family", ["x-shopify-", "shopify-", "X-Shopify-"])
@pytest.mark.parametrize(("secret", "verdict"), [("hush", True), ("old-hush", True), ("guess", False)])
def test_delivery_verdicts_agree_with_shopifyapp(family: str, secret: str, verdict: bool) -> None:
    app = shopify_app.ShopifyApp(client_id="client-id-123", client_secret="hush", old_client_secret="old-hush")
    digest = base64.b64encode(hmac.digest(secret.encode(), BODY.encode(), "sha256")).decode()
    headers = {f"{family}hmac-sha256": digest, f"{family}topic": "checkouts/update", f"{family}shop-domain": SHOP}
    theirs = app.verify_webhook_req(
        {"method": "POST", "url": "https://connector.example/webhooks/shopify", "headers": headers, "body": BODY}
    )
    assert theirs.ok is verdict
    raw = {name.lower().encode(): value.encode() for name, value in headers.items()}
    if verdict:
        assert verify_webhook(raw, BODY.encode(), [b"hush", b"old-hush"]).shop_ref == SHOP
    else:
        with pytest.raises(BadSignature):
            verify_webhook(raw, BODY.encode(), [b"hush", b"old-hush"])


@pytest.mark.parametrize(
    ("query", "theirs", "why"),
    [
        ([("shop", SHOP), ("shop", "evil.myshopify.com")], True, "a dictionary forgets one of two: which one was signed, nobody knows"),
        ([("shop", SHOP), ("note", "a b+c")], False, "Shopify's maintained library writes a space as %20, this one as it is"),
    ],
)
def test_where_query_verdicts_differ_from_shopifyapi(old_library: ModuleType, query: list[tuple[str, str]], theirs: bool, why: str) -> None:
    """Ours is the stricter one, or the one that Shopify's servers agree with."""
    values = dict(query)
    message = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(values.items()))
    pairs = [*query, ("hmac", hmac.digest(b"hush", message.encode(), "sha256").hex())]
    assert old_library.Session.validate_hmac(dict(pairs)) is theirs, why
    assert verify_query(pairs, [b"hush"]) is not theirs, why


def test_a_signature_outside_ascii_is_a_verdict_with_us_and_a_crash_with_shopifyapp() -> None:
    """Anybody could make a door that stands on it answer 500."""
    app = shopify_app.ShopifyApp(client_id="client-id-123", client_secret="hush")
    headers: Any = {"x-shopify-hmac-sha256": "é", "x-shopify-topic": "checkouts/update", "x-shopify-shop-domain": SHOP}
    with pytest.raises(TypeError):
        app.verify_webhook_req({"method": "POST", "url": "https://connector.example/", "headers": headers, "body": BODY})
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    with pytest.raises(BadSignature):
        verify_webhook(raw, BODY.encode(), [b"hush"])


@pytest.mark.parametrize("domain", ["evil.example", "", "ATELIER.myshopify.com"])
def test_shopifyapp_believes_any_shop_that_the_unsigned_header_names(domain: str) -> None:
    """The header is only a claim: with us the shop must be one that installed the app, which the door looks up."""
    app = shopify_app.ShopifyApp(client_id="client-id-123", client_secret="hush")
    digest = base64.b64encode(hmac.digest(b"hush", BODY.encode(), "sha256")).decode()
    headers: Any = {"x-shopify-hmac-sha256": digest, "x-shopify-topic": "checkouts/update", "x-shopify-shop-domain": domain}
    assert app.verify_webhook_req({"method": "POST", "url": "https://connector.example/", "headers": headers, "body": BODY}).ok
    meta = verify_webhook({name.encode(): value.encode() for name, value in headers.items()}, BODY.encode(), [b"hush"])
    assert meta.shop_ref == domain.lower()


def test_shopifyapi_signs_the_query_as_urlencode_does(old_library: ModuleType) -> None:
    values = {"shop": SHOP, "timestamp": "1795256130", "code": "a"}
    message = urlencode(sorted(values.items())).encode()
    assert old_library.Session.calculate_hmac(values) == hmac.digest(b"hush", message, "sha256").hex()
