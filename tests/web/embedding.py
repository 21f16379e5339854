"""A Shopify that installs us from its admin: session tokens as it signs them, and the answers of its endpoints."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import jwt
from starlette.testclient import TestClient

from connector.config import Settings
from integrations.shopify.adapter import ShopifyPlatform
from integrations.transport import Transport
from tests.conftest import SHOPIFY_SECRET
from tests.integrations.shopify_installs import PROFILE

DOMAIN = "atelier-brume.myshopify.com"
CLIENT = "client-id"
OWNER, STAFF = 902541635, 902541636
SCOPES = "read_customer_merge,read_customers,read_inventory,read_orders,read_products,read_shopify_payments_disputes,write_discounts"


@dataclass
class FakeShopify:
    """One shop's endpoints. What they answer is set beforehand; `asked` names each kind of call, `sent` holds what came with it."""

    scopes: str = SCOPES
    is_owner: bool = True
    email: str = "camille@brume.example"
    is_verified: bool = True
    own_scopes: str = SCOPES
    domain: str = DOMAIN
    profile: dict[str, Any] = field(default_factory=dict)
    refusal: httpx2.Response | None = None
    asked: list[str] = field(default_factory=list)
    sent: list[httpx2.Request] = field(default_factory=list)
    access: str = "shpat_first"
    refresh: str = "shprt_first"
    slow_seconds: float = 0.0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        self.sent.append(request)
        if not request.url.path.endswith("/access_token"):
            self.asked.append("graphql")
            shop = PROFILE | {"myshopifyDomain": self.domain} | self.profile
            return httpx2.Response(200, json={"data": {"shop": shop, "currentAppInstallation": {"accessScopes": []}}})
        kind = next((one for one in ("online", "offline", "refresh_token") if one.encode() in request.content), "code")
        self.asked.append(kind)
        time.sleep(self.slow_seconds)
        if self.refusal is not None:
            return self.refusal
        return httpx2.Response(200, json=self.online(request) if kind == "online" else self.pair())

    def pair(self) -> dict[str, Any]:
        """The shop's own tokens."""
        life = {"expires_in": 3600, "refresh_token_expires_in": 7776000}
        return {"access_token": self.access, "scope": self.scopes, "refresh_token": self.refresh} | life

    def online(self, request: httpx2.Request) -> dict[str, Any]:
        """A token of the person's own."""
        subject = jwt.decode(httpx2.Response(200, content=request.content).json()["subject_token"], options={"verify_signature": False})
        user = {"id": int(subject["sub"]), "first_name": "Camille", "last_name": "Durand", "email": self.email, "locale": "fr"}
        user |= {"email_verified": self.is_verified, "account_owner": self.is_owner}
        return {"access_token": "shpua_own", "scope": self.scopes, "associated_user_scope": self.own_scopes, "associated_user": user}

    def platform(self, settings: Settings) -> ShopifyPlatform:
        """The real adapter in front of it."""
        return ShopifyPlatform(Transport(inner=httpx2.MockTransport(self)), settings)


def session_token(user: int = OWNER, domain: str = DOMAIN, secret: str = SHOPIFY_SECRET, **changes: Any) -> str:
    """What App Bridge gives our page; `changes` spoil it."""
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": f"https://{domain}/admin", "dest": f"https://{domain}", "aud": CLIENT, "sub": str(user), "exp": now + 60, "nbf": now}
    return jwt.encode(claims | changes, secret.ljust(32, "\0"), algorithm="HS256")


def ask(client: TestClient, name: str, token: str | None = None, locale: str = "", **body: Any) -> httpx2.Response:
    """What the page's script sends."""
    headers = {"authorization": f"Bearer {session_token() if token is None else token}"}
    answer: httpx2.Response = client.post(
        f"/embedded/shopify/{name}", params={"locale": locale} if locale else None, headers=headers, json=body
    )
    return answer


def enter(client: TestClient, code: str, **headers: str) -> httpx2.Response:
    """What the page's form sends, at the top of the browser."""
    given = {"sec-fetch-site": "same-origin", "origin": str(client.base_url).rstrip("/")} | headers
    answer: httpx2.Response = client.post("/embedded/shopify/entrance", data={"code": code}, headers=given)
    return answer
