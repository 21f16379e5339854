"""Who of the staff may do what, written down once more by hand: through the real routes, with what is really there."""

import pytest

from connector.rules.permissions import StaffRole
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.sync.offer_desk import OfferDesk
from tests.web.conftest import Seed, scalar, shop_public_id
from tests.web.routes import routes
from tests.web.signing import send
from tests.web.support.conftest import REASON, Entries, Keep, Opens, give_reason
from tests.web.support.sync_kit import begin

EVERYBODY, SUPPORT, ADMIN = {"viewer", "support", "admin"}, {"support", "admin"}, {"admin"}
TABLE = {
    ("GET", "/support"): EVERYBODY,
    ("POST", "/support"): EVERYBODY,
    ("GET", "/support/shops/{shop}"): EVERYBODY,
    ("GET", "/support/shops/{shop}/connection"): EVERYBODY,
    ("GET", "/support/shops/{shop}/deliveries"): EVERYBODY,
    ("GET", "/support/shops/{shop}/offers"): EVERYBODY,
    ("GET", "/support/shops/{shop}/offers/{offer}"): EVERYBODY,
    ("GET", "/support/shops/{shop}/sync"): EVERYBODY,
    ("POST", "/support/shops/{shop}/sync"): SUPPORT,
    ("GET", "/support/shops/{shop}/sync/{run}"): EVERYBODY,
    ("GET", "/support/shops/{shop}/sync/{run}/values"): SUPPORT,
    ("POST", "/support/shops/{shop}/sync/{run}/acts"): SUPPORT,
    ("GET", "/support/privacy"): EVERYBODY,
    ("GET", "/support/shops/{shop}/privacy"): EVERYBODY,
    ("GET", "/support/shops/{shop}/reason"): SUPPORT,
    ("POST", "/support/shops/{shop}/reason"): SUPPORT,
    ("GET", "/support/shops/{shop}/deliveries/{number}"): SUPPORT,
    ("POST", "/support/shops/{shop}/deliveries/{number}/replay"): SUPPORT,
    ("GET", "/support/checkouts/{checkout}"): SUPPORT,
    ("GET", "/support/audit"): ADMIN,
}


def test_the_table_names_every_route_of_support() -> None:
    assert {(route.method, route.path) for route in routes() if route.is_support} == set(TABLE)


@pytest.mark.spec("SEC-236")
@pytest.mark.parametrize("role", list(StaffRole))
@pytest.mark.parametrize("route", TABLE, ids=" ".join)
def test_each_role_may_what_the_table_says_and_nothing_else(
    staff: Opens,
    parts: Composition,
    shopify_shop: TestShop,
    seed: Seed,
    keep: Keep,
    entries: Entries,
    role: StaffRole,
    route: tuple[str, str],
) -> None:
    method, path = route
    checkout, number = seed(shopify_shop), keep(shopify_shop, "quarantined", b"raw secret")
    desk = OfferDesk(parts.services, shopify_shop.id)
    desk.hold_code()
    names = {"checkout": checkout, "number": number, "offer": desk.publish(), "run": begin(parts, shopify_shop).public_id}
    url = path.format(shop=shop_public_id(parts, shopify_shop), **names)
    client = staff(role)
    give_reason(client, parts, shopify_shop)
    before = len(entries())
    answer = client.get(url) if method == "GET" else send(client, parts, url, reason=REASON, q="demo", act="cancel")
    if role.value in TABLE[route]:
        assert answer.status_code in (200, 303), answer.text[:300]
        assert not answer.headers.get("location", "").startswith("/support/sign-in")
        return
    assert answer.status_code == 403
    assert len(entries()) == before, "what was refused is not written down as done"
    assert scalar(parts, "select state from deliveries") == "quarantined"
    assert scalar(parts, "select array_agg(state) from sync_runs") == ["waiting"]
    for word in ("raw secret", "anna.petit@example.org", REASON):
        assert word not in answer.text
