"""What tests of installs do: begin, come back, post a grant."""

from urllib.parse import parse_qsl, urlsplit

import httpx2
from starlette.testclient import TestClient

from connector.web.composition import Composition
from tests.web.conftest import scalar

SHOP = "brume.myshopify.com"
STORE = "galets.test"


def begin(client: TestClient, platform: str = "shopify", shop: str = SHOP) -> str:
    """Start an install; the state that the store will give back."""
    answer = client.get(f"/install/{platform}", params={"shop": shop})
    assert answer.status_code == 302
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))["state"]


def come_back(client: TestClient, state: str) -> httpx2.Response:
    answer: httpx2.Response = client.get("/install/shopify/callback", params={"state": state})
    return answer


def post_grant(client: TestClient, state: object) -> httpx2.Response:
    """What the store itself sends: no cookie of ours."""
    client.cookies.clear()
    answer: httpx2.Response = client.post("/install/woocommerce/callback", json={"user_id": state})
    return answer


def shops(parts: Composition) -> int:
    return int(scalar(parts, "select count(*) from shops"))
