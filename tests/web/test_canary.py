"""No token, wherever it came from and whatever went wrong with it, is found in a page, an address, a header or a log (SEC-149)."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from connector.platforms import Access, PlatformError
from connector.rules.permissions import StaffRole
from connector.web.composition import Composition
from tests.web.conftest import browser, scalar
from tests.web.embedding import DOMAIN, FakeShopify, ask, enter, session_token
from tests.web.signing import send, sign_in_staff
from tests.web.test_security_shopify import signed

MARK = "canary7f3a"
SECRET, OLD_SECRET = f"shpss_{MARK}_secret_0123456789abcdef", f"shpss_{MARK}_old_secret_0123456789abc"


class Watched(FakeShopify):
    """A Shopify whose every word is a canary, and that repeats what it is sent in its errors."""

    def __init__(self) -> None:
        super().__init__(access=f"shpat_{MARK}_access", refresh=f"shprt_{MARK}_refresh")
        self.echo: Callable[[str], httpx2.Response] | None = None
        self.echo_graphql: Callable[[str], httpx2.Response] | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        is_graphql = request.url.path.endswith("/graphql.json")
        echo = self.echo_graphql if is_graphql else self.echo
        if echo is None:
            return super().__call__(request)
        self.sent.append(request)
        return echo(request.headers.get("x-shopify-access-token", "") + request.content.decode())

    def online(self, request: httpx2.Request) -> dict[str, Any]:
        return super().online(request) | {"access_token": f"shpua_{MARK}_own"}


class Heard:
    """Everything that left us: answers to browsers, addresses and headers of our own calls, logs."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.tokens: set[str] = {MARK}

    def answer(self, answer: httpx2.Response) -> httpx2.Response:
        """Note an answer to a browser: its headers and all of its body."""
        self.texts += [f"{name}: {value}" for name, value in answer.headers.multi_items() if name != "set-cookie"]
        self.texts.append(answer.text)
        return answer

    def leaks(self) -> list[str]:
        """Where a token stands, also one that was encoded for an address."""
        return [text[:200] for text in self.texts for token in self.tokens if token in text or token in unquote(text)]


@pytest.fixture
def shop() -> Watched:
    """The shop's Shopify."""
    return Watched()


@pytest.fixture
def here(make_parts: Callable[..., Composition], shop: Watched) -> Composition:
    """Our process on the real adapter."""
    secrets = {"shopify_client_secret": SecretStr(SECRET), "shopify_old_client_secret": SecretStr(OLD_SECRET)}
    return make_parts({"shopify": shop.platform(make_parts(**secrets).settings)}, **secrets)


@pytest.fixture
def client(here: Composition) -> Iterator[TestClient]:
    """A browser."""
    with browser(here, raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def heard(shop: Watched, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Heard]:
    """What left us in the test; at its end nothing of it may hold a token."""
    heard = Heard()
    caplog.set_level(logging.DEBUG)
    with capture_logs() as events:
        yield heard
    heard.texts += [repr(event) for event in events]
    heard.texts += [record.getMessage() + str(record.exc_info) for record in caplog.records]
    heard.texts += list(capfd.readouterr())
    for request in shop.sent:
        heard.texts.append(str(request.url))
        heard.texts += [value for name, value in request.headers.items() if name != "x-shopify-access-token"]
    assert len(heard.texts) > 10
    assert heard.leaks() == []


def token(heard: Heard) -> str:
    """A session token; its signature is a canary of its own."""
    made = session_token(secret=SECRET)
    heard.tokens.add(made.rpartition(".")[2])
    return made


def install(client: TestClient, heard: Heard, code: str = f"{MARK}code") -> httpx2.Response:
    """The whole standalone install; its code is a canary as well."""
    start = heard.answer(client.get("/install/shopify", params=signed(SECRET)))
    state = dict(parse_qsl(urlsplit(start.headers["location"]).query))["state"]
    return heard.answer(client.get("/install/shopify/callback", params=signed(SECRET, state=state, code=code)))


def look_around(client: TestClient, here: Composition, heard: Heard) -> None:
    """Every page that speaks of the shop, for its owner and for support."""
    public_id = scalar(here, "select public_id from shops")
    for path in ("", "/checkouts", "/automation", "/preview"):
        assert heard.answer(client.get(f"/app/shops/{public_id}{path}")).status_code == 200
    heard.answer(client.get("/app"))
    heard.answer(client.get("/app/audit"))
    sign_in_staff(client, here, StaffRole.ADMIN)
    send(client, here, f"/support/shops/{public_id}/reason", reason="looking for tokens", ticket="T-1")
    assert heard.answer(client.get(f"/support/shops/{public_id}")).status_code == 200
    heard.answer(client.get("/support/audit"))


@pytest.mark.spec("SEC-149")
def test_after_an_install_by_code_no_token_is_seen_anywhere(client: TestClient, here: Composition, shop: Watched, heard: Heard) -> None:
    assert install(client, heard).status_code == 303
    assert here.services.vault.open(scalar(here, "select credentials from shops"))["access_token"] == shop.access
    look_around(client, here, heard)


@pytest.mark.spec("SEC-149")
def test_after_an_install_from_the_admin_no_token_is_seen_anywhere(
    client: TestClient, here: Composition, shop: Watched, heard: Heard
) -> None:
    given = token(heard)
    frame = heard.answer(client.get("/embedded/shopify", params=signed(SECRET, id_token=given)))
    assert frame.headers["referrer-policy"] == "strict-origin"
    assert heard.answer(ask(client, "opening", given)).status_code == 200
    assert heard.answer(ask(client, "automation", given, is_on=True)).status_code == 200
    code = ask(client, "codes", given).json()["code"]
    heard.tokens.add(code)
    assert heard.answer(enter(client, code)).status_code == 303
    look_around(client, here, heard)


def echoes() -> dict[str, Callable[[str], httpx2.Response]]:
    """Every way in which an answer may repeat what it was asked with, or bring a token where none belongs."""

    def told(status: int) -> Callable[[str], httpx2.Response]:
        return lambda sent: httpx2.Response(status, json={"error": sent, "errors": sent, "error_description": sent})

    known = {str(status): told(status) for status in (400, 401, 402, 403, 404, 423, 429, 500, 503)}
    return known | {
        "page": lambda sent: httpx2.Response(520, html=f"<html>{sent}</html>"),
        "oauth page": lambda sent: httpx2.Response(400, html=f"<title>Oauth error</title>{sent}"),
        "graphql error": lambda sent: httpx2.Response(200, json={"errors": [{"message": sent, "path": [sent]}]}),
        "graphql text": lambda sent: httpx2.Response(200, json={"errors": sent}),
        "denied": lambda sent: httpx2.Response(200, json={"errors": [{"message": sent, "extensions": {"code": "ACCESS_DENIED"}}]}),
        "odd shape": lambda sent: httpx2.Response(200, json={sent: [sent]}),
        "half": lambda sent: httpx2.Response(200, text='{"access_token": "' + sent[:40]),
        "redirect": lambda sent: httpx2.Response(302, headers={"location": f"https://evil.example/?{MARK}"}),
    }


@pytest.mark.spec("SEC-149")
@pytest.mark.parametrize("where", ["token endpoint", "graphql"])
@pytest.mark.parametrize("how", list(echoes()))
def test_whatever_goes_wrong_no_token_is_in_what_is_said_of_it(
    how: str, where: str, client: TestClient, here: Composition, shop: Watched, heard: Heard
) -> None:
    if where == "graphql":
        shop.echo_graphql = echoes()[how]
    else:
        shop.echo = echoes()[how]
    answer = install(client, heard)
    assert answer.status_code in (400, 502)
    assert heard.answer(ask(client, "opening", token(heard))).status_code in (401, 502)
    assert scalar(here, "select count(*) from shops") == 0
    held = {"access_token": shop.access, "refresh_token": shop.refresh, "expires_at": "2020-01-01T00:00:00+00:00"}
    try:
        here.services.platforms["shopify"].refresh(Access(1, DOMAIN, held), datetime.now(UTC))
    except PlatformError as error:
        heard.texts += [repr(error), str(error)]
    else:
        assert where == "graphql", "only the token endpoint is asked"


def test_credentials_do_not_show_themselves() -> None:
    """A value that is printed by mistake, in an error or a log, tells nothing."""
    access = Access(1, DOMAIN, {"access_token": MARK})
    assert MARK not in repr(access)
