"""Connecting a WooCommerce store with pasted keys, on the real adapter; and which addresses no way of connecting ever calls."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.web.composition import Composition
from integrations import connecting
from integrations.transport import Transport
from integrations.woocommerce import install
from integrations.woocommerce.adapter import WooCommercePlatform
from tests.conftest import TestShop
from tests.integrations.canary import Canary
from tests.integrations.woo_installs import GRANT, KEY, READ_ONLY, SECRET, STATUS, WRITE, Store
from tests.web.conftest import browser, scalar
from tests.web.installing import shops
from tests.web.signing import send, sign_in

PATH = "/connect/woocommerce"
HOME = "https://connector.test"


class Kept(Store):
    """A store that also keeps webhooks."""

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith("/webhooks"):
            return super().__call__(request)
        self.asked.append((request.method, request.url.path, self.way(request)))
        made = {"id": 1, "status": "active"} | (json.loads(request.content) if request.method == "POST" else {})
        return httpx2.Response(200, json=made if request.method == "POST" else [])


@pytest.fixture
def store() -> Kept:
    """The store to connect."""
    return Kept()


@pytest.fixture
def here(make_parts: Callable[..., Composition], store: Kept) -> Composition:
    """Our process in production, on the real adapter and a store in memory."""
    settings = make_parts(sandbox=False).settings
    platform = WooCommercePlatform(Transport(inner=httpx2.MockTransport(store)), settings)
    return make_parts({"woocommerce": platform}, sandbox=False)


@pytest.fixture
def client(here: Composition) -> Iterator[TestClient]:
    """A browser at our real address."""
    with browser(here, origin=HOME, address="8.8.4.4") as one:
        yield one


def paste(client: TestClient, here: Composition, address: str = "galets.example", key: str = KEY, secret: str = SECRET) -> Any:
    return send(client, here, PATH, store=address, key=key, secret=secret)


# ---------------------------------------------------------------- pasted keys


def test_pasted_keys_connect_a_store_and_its_webhooks(client: TestClient, here: Composition, store: Kept) -> None:
    answer = paste(client, here, " https://Galets.example/ ")
    public_id = scalar(here, "select public_id from shops where domain = 'galets.example'")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/app/shops/{public_id}")
    kept = here.services.vault.open(bytes(scalar(here, "select credentials from shops")))
    assert kept == {"consumer_key": KEY, "consumer_secret": SECRET, "auth": "header"}
    assert ("POST", "/wp-json/wc/v3/webhooks", "header") in store.asked
    page = client.get(answer.headers["location"])
    assert page.status_code == 200, "who has just proven to manage the store is signed in"
    assert scalar(here, "select count(*) from shop_checkups") == 1, "what the connection is like is looked at at once"


def test_a_store_pasted_by_a_member_joins_their_account(client: TestClient, here: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, here, shopify_shop)
    assert paste(client, here).status_code == 303
    accounts = "select count(distinct account_id) from shops where domain in ('galets.example', :other)"
    assert scalar(here, accounts, other=shopify_shop.domain) == 1


@pytest.mark.parametrize("role", [Role.MARKETER, Role.READ_ONLY])
def test_only_owners_paste_keys(role: Role, client: TestClient, here: Composition, shopify_shop: TestShop, store: Kept) -> None:
    sign_in(client, here, shopify_shop, role)
    assert paste(client, here).status_code == 403
    assert store.asked == []


def test_a_store_of_another_account_is_not_handed_over(client: TestClient, here: Composition) -> None:
    assert paste(client, here).status_code == 303
    before = scalar(here, "select account_id from shops")
    with browser(here, origin=HOME, address="8.8.4.5") as stranger:
        answer = paste(stranger, here)
        assert answer.status_code == 200
        assert "belongs to an account that was here before" in answer.text
        assert stranger.get("/app/members").status_code != 200
    assert (scalar(here, "select account_id from shops"), shops(here)) == (before, 1)


def test_a_form_that_is_not_ours_connects_nothing(client: TestClient, here: Composition, store: Kept) -> None:
    fields = {"store": "galets.example", "key": KEY, "secret": SECRET}
    assert client.post(PATH, data=fields).status_code == 403
    assert client.post(PATH, data={**fields, "csrf": "x"}, headers={"origin": "https://evil.example"}).status_code == 403
    assert (store.asked, shops(here)) == ([], 0)


@pytest.mark.spec("SEC-166")
def test_pasted_keys_that_may_only_read_save_nothing_and_are_not_shown_again(client: TestClient, here: Composition, store: Kept) -> None:
    store.failing[WRITE] = httpx2.Response(401, json=READ_ONLY)
    answer = paste(client, here)
    assert answer.status_code == 400
    assert "The keys may only read." in answer.text
    assert 'value="galets.example"' in answer.text
    assert shops(here) == 0
    assert not any(word in answer.text for word in (KEY, SECRET))


def test_the_reason_is_told_in_the_readers_language(client: TestClient, here: Composition, store: Kept) -> None:
    store.failing[STATUS] = httpx2.Response(301, headers={"location": "https://www.galets.example/wp-json/x?consumer_key=" + KEY})
    client.headers["accept-language"] = "fr"
    answer = paste(client, here)
    assert "La boutique redirige vers https://www.galets.example. Veuillez saisir cette adresse." in answer.text
    assert KEY not in answer.text
    assert "doit être accessible en https" in client.get("/install/woocommerce", params={"store": "http://galets.example"}).text


def test_a_store_that_does_not_answer_can_be_tried_again(client: TestClient, here: Composition, store: Kept) -> None:
    store.failing[STATUS] = httpx2.Response(503)
    answer = paste(client, here)
    assert answer.status_code == 502
    assert "Please try again in a moment" in answer.text
    store.failing.clear()
    assert paste(client, here).status_code == 303


def test_guessing_keys_ends_after_twenty_tries(client: TestClient, here: Composition, store: Kept) -> None:
    answers = [paste(client, here, secret="cs_" + f"{n:040x}").status_code for n in range(21)]
    assert answers == [400] * 20 + [429]
    assert shops(here) == 0


# ---------------------------------------------------------------- addresses


def begin(client: TestClient, address: str) -> Any:
    return client.get("/install/woocommerce", params={"store": address})


@pytest.mark.spec("SEC-160")
@pytest.mark.parametrize("address", ["http://galets.example", "HTTP://galets.example/", "http://galets.example:443"])
def test_a_store_without_https_is_refused_in_production(address: str, client: TestClient, here: Composition, store: Kept) -> None:
    for answer in (begin(client, address), paste(client, here, address)):
        assert answer.status_code == 400
        assert "must be reached by https" in answer.text
    assert (store.asked, shops(here)) == ([], 0)


@pytest.mark.spec("SEC-163")
@pytest.mark.parametrize(
    "address",
    [
        *(f"https://galets.example:{port}" for port in (22, 25, 6379, 5432, 80, 8080)),
        *(
            "https://user:pass@galets.example",
            "user@galets.example",
            "file:///hosts",
            "gopher://galets.example/",
            "ftp://galets.example",
        ),
        *("file:galets.example", "javascript:alert(1)", "//galets.example", "https:galets.example", "galets.example@evil.example"),
    ],
)
def test_other_ports_users_and_schemes_are_refused(address: str, client: TestClient, here: Composition, store: Kept) -> None:
    assert [begin(client, address).status_code, paste(client, here, address).status_code] == [400, 400]
    assert (store.asked, shops(here)) == ([], 0)


INSIDE = ["127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "0.0.0.0"]
ODD = ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost.", "１２７.0.0.1", "ⓛocalhost", "127。0。0。1"]


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """A listener here, on a port that stores could have."""
    made = Canary()
    for module in (connecting, install):
        monkeypatch.setattr(module, "PORTS", frozenset([made.port, 443]))
    yield made
    made.stop()


@pytest.fixture
def outside(make_parts: Callable[..., Composition]) -> Iterator[Composition]:
    """Our process in production with the real client."""
    transport = Transport()
    platform = WooCommercePlatform(transport, make_parts(sandbox=False).settings)
    yield make_parts({"woocommerce": platform}, sandbox=False)
    transport.close()


@pytest.mark.spec("SEC-161")
@pytest.mark.parametrize("host", INSIDE + ODD)
def test_addresses_inside_a_network_are_refused_and_nobody_is_called(host: str, outside: Composition, canary: Canary) -> None:
    with browser(outside, origin=HOME, address="8.8.4.4") as client:
        for address in (host, f"https://{host}", f"{host}:{canary.port}", f"https://{host}:{canary.port}/shop"):
            assert [begin(client, address).status_code, paste(client, outside, address).status_code] == [400, 400]
    assert (canary.connections, shops(outside)) == (0, 0)


@pytest.mark.spec("SEC-161")
@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["0.0.0.0"], ["1.1.1.1", "127.0.0.1"]])
def test_names_that_lead_inside_a_network_are_refused_and_nobody_is_called(
    addresses: list[str], outside: Composition, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only who resolves the name sees where it leads: by keys at once, by a grant when the store has posted it."""
    real = socket.getaddrinfo

    def lead(host: Any, port: Any, *args: Any, **options: Any) -> list[Any]:
        if host not in ("galets.example", b"galets.example"):
            return list(real(host, port, *args, **options))
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", lead)
    address = f"galets.example:{canary.port}"
    with browser(outside, origin=HOME, address="8.8.4.4") as client:
        answer = paste(client, outside, address)
        assert answer.status_code == 400
        assert "private network" in answer.text
        started = begin(client, address)
        if started.status_code == 302:
            state = dict(parse_qsl(urlsplit(started.headers["location"]).query))["user_id"]
            posted = client.post("/install/woocommerce/callback", json={**GRANT, "user_id": state})
            assert (posted.status_code, "private network" in posted.text) == (400, True)
        else:
            assert started.status_code == 400
    assert (canary.connections, shops(outside)) == (0, 0)
