"""Who may call which route, for every route there is: nothing here names one, so a new one is tried as well."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Permission, Role, StaffPermission, StaffRole, member_may, staff_may
from connector.web import cookies
from connector.web.asking import token_of
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import Seed, browser
from tests.web.routes import Route, ids_of, routes
from tests.web.signing import BROWSER, keep, send, sign_in, sign_in_staff

ALL = routes()
MERCHANT = [route for route in ALL if route.is_merchant]
SUPPORT = [route for route in ALL if route.is_support]
FORMS = [route for route in ALL if route.is_form]
WITH_ID = [route for route in (*MERCHANT, *SUPPORT) if "{" in route.path]
NOBODYS = {
    "offers": "ofr_0198c5f2-0000-7000-8000-000000000000",
    "shops": "shp_0198c5f2-0000-7000-8000-000000000000",
    "checkouts": "chk_0198c5f2-0000-7000-8000-000000000000",
    "members": "mem_0198c5f2-0000-7000-8000-000000000000",
    "keys": "key_0198c5f2-0000-7000-8000-000000000000",
    "deliveries": "999999",
    "sync": "syn_0198c5f2-0000-7000-8000-000000000000",
    "privacy": "prq_0198c5f2-0000-7000-8000-000000000000",
}

Call = Callable[..., Any]


def call(client: TestClient, parts: Composition, route: Route, ids: dict[str, str]) -> Any:
    """Call a route as a browser would: pages are read, forms are sent with our token."""
    url = route.url(ids)
    return client.get(url) if route.method == "GET" else send(client, parts, url)


@pytest.fixture
def mine(parts: Composition, seed: Seed, shopify_shop: TestShop) -> dict[str, str]:
    """Things of the account of the member who asks."""
    return ids_of(parts, shopify_shop, seed(shopify_shop))


@pytest.fixture
def foreign(parts: Composition, seed: Seed, woo_shop: TestShop) -> dict[str, str]:
    """The same kinds of things of another account."""
    return ids_of(parts, woo_shop, seed(woo_shop))


def test_every_route_of_members_and_staff_says_what_it_needs_and_every_form_is_checked() -> None:
    assert len(MERCHANT) > 12
    assert len(SUPPORT) > 6
    for route in MERCHANT:
        assert isinstance(route.needs, Permission), route
    for route in SUPPORT:
        assert isinstance(route.needs, StaffPermission), route
    for route in (*MERCHANT, *SUPPORT):
        assert route.method in ("GET", "POST"), route
        assert route.is_form == (route.method == "POST"), route


@pytest.mark.spec("SEC-180")
@pytest.mark.parametrize("route", [route for route in WITH_ID if route.is_merchant], ids=str)
def test_what_is_anothers_is_not_there(
    route: Route, client: TestClient, parts: Composition, shopify_shop: TestShop, mine: dict[str, str], foreign: dict[str, str]
) -> None:
    sign_in(client, parts, shopify_shop)
    assert call(client, parts, route, mine).status_code != 404, "the route is there for what is one's own"
    for ids in (foreign, NOBODYS):
        answer = call(client, parts, route, ids)
        assert answer.status_code == 404, answer.text[:300]
        assert "Boutique" not in answer.text


@pytest.mark.spec("SEC-180")
@pytest.mark.parametrize("route", [route for route in WITH_ID if route.is_support], ids=str)
def test_what_nobody_has_is_not_there_for_staff(route: Route, client: TestClient, parts: Composition) -> None:
    sign_in_staff(client, parts, StaffRole.ADMIN)
    assert call(client, parts, route, NOBODYS).status_code == 404


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("route", MERCHANT, ids=str)
def test_members_may_what_their_role_says(
    route: Route, role: Role, client: TestClient, parts: Composition, shopify_shop: TestShop, mine: dict[str, str]
) -> None:
    sign_in(client, parts, shopify_shop, role)
    status = call(client, parts, route, mine).status_code
    assert isinstance(route.needs, Permission)
    assert (status == 403) == (not member_may(role, route.needs)), status


@pytest.mark.spec("SEC-236")
@pytest.mark.parametrize("role", list(StaffRole))
@pytest.mark.parametrize("route", SUPPORT, ids=str)
def test_staff_may_what_their_role_says(
    route: Route, role: StaffRole, client: TestClient, parts: Composition, mine: dict[str, str]
) -> None:
    sign_in_staff(client, parts, role)
    status = call(client, parts, route, mine).status_code
    assert isinstance(route.needs, StaffPermission)
    assert (status == 403) == (not staff_may(role, route.needs)), status


@pytest.mark.spec("SEC-235")
@pytest.mark.parametrize("route", [*MERCHANT, *SUPPORT], ids=str)
def test_nobody_is_led_to_the_sign_in(route: Route, client: TestClient, parts: Composition, mine: dict[str, str]) -> None:
    answer = call(client, parts, route, mine)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in" if route.is_merchant else "/support/sign-in")


@pytest.mark.parametrize("route", SUPPORT, ids=str)
def test_a_member_is_nobody_to_support(
    route: Route, client: TestClient, parts: Composition, shopify_shop: TestShop, mine: dict[str, str]
) -> None:
    sign_in(client, parts, shopify_shop)
    answer = call(client, parts, route, mine)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/support/sign-in")


@pytest.mark.spec("SEC-148")
@pytest.mark.parametrize("route", FORMS, ids=str)
def test_a_form_that_is_not_ours_changes_nothing(
    route: Route, client: TestClient, parts: Composition, shopify_shop: TestShop, mine: dict[str, str]
) -> None:
    sign_in(client, parts, shopify_shop)
    sign_in_staff(client, parts, StaffRole.ADMIN)
    keep(client, cookies.BROWSER, BROWSER)
    url = route.url(mine | {"sign-in": "x" * 32})
    ours = token_of(parts, BROWSER)
    assert client.post(url, data={"a": "b"}).status_code == 403
    assert client.post(url, data={"csrf": token_of(parts, "c" * 32)}).status_code == 403
    assert client.post(url, data={"csrf": ours}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert client.post(url, data={"csrf": ours}, headers={"origin": "https://evil.example"}).status_code == 403
    with browser(parts) as stranger:
        assert stranger.post(url, data={"csrf": ours}).status_code == 403


@pytest.mark.spec("SEC-148")
@pytest.mark.parametrize("route", [r for r in FORMS if not any(o.path == r.path and o.method == "GET" for o in ALL)], ids=str)
def test_nothing_that_changes_things_can_be_read(route: Route, client: TestClient, parts: Composition, mine: dict[str, str]) -> None:
    sign_in_staff(client, parts, StaffRole.ADMIN)
    assert client.get(route.url(mine)).status_code == 405


@pytest.mark.spec("SEC-130")
@pytest.mark.parametrize("route", FORMS, ids=str)
def test_what_is_no_form_is_not_read_as_one(
    route: Route, client: TestClient, parts: Composition, shopify_shop: TestShop, mine: dict[str, str]
) -> None:
    sign_in(client, parts, shopify_shop)
    url = route.url(mine | {"sign-in": "x" * 32})
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        answer = client.post(url, content=b'{"is_on": "on"}', headers={"content-type": kind})
        assert answer.status_code == 415, kind


@pytest.mark.spec("SEC-147")
@pytest.mark.parametrize("route", [route for route in (*MERCHANT, *SUPPORT) if route.method == "GET"], ids=str)
def test_no_other_site_may_frame_a_page(
    route: Route, client: TestClient, parts: Composition, shopify_shop: TestShop, mine: dict[str, str]
) -> None:
    sign_in(client, parts, shopify_shop)
    sign_in_staff(client, parts, StaffRole.ADMIN)
    policy = client.get(route.url(mine)).headers["content-security-policy"]
    # The mail of a preview is framed by its own page, and so is the shopper's page.
    allowed = "'self'" if route.path.endswith(("/preview/mail", "/preview/page")) else "'none'"
    assert f"frame-ancestors {allowed}" in policy
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
