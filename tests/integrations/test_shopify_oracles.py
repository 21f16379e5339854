"""Our verdicts compared with Shopify's own Python libraries, which do not run in production."""

import base64
import hmac
import json
import warnings
from types import ModuleType
from urllib.parse import parse_qsl, urlencode, urlsplit

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


def test_shopifyapi_signs_the_query_as_urlencode_does(old_library: ModuleType) -> None:
    values = {"shop": SHOP, "timestamp": "1795256130", "code": "a"}
    message = urlencode(sorted(values.items())).encode()
    assert old_library.Session.calculate_hmac(values) == hmac.digest(b"hush", message, "sha256").hex()
