"""A shop's connection is examined, the result is kept and put into words, and the plugin can be had."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from starlette.testclient import TestClient

from connector.checkups import Check, Verdict
from connector.platforms import Access
from connector.rules.permissions import Role, StaffRole
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import run, scalar, shop_public_id
from tests.web.merchant.conftest import plain
from tests.web.posting import PostingPlatform
from tests.web.signing import send, sign_in, sign_in_staff

FOUND = (
    Check("address", Verdict.GOOD, ("boutique.test",)),
    Check("webhooks", Verdict.BAD, ("12/14", "order.created", "order.updated"), "stopped"),
    Check("plugin", Verdict.ATTENTION, cause="missing"),
    Check("clock", Verdict.UNKNOWN),
)


@dataclass
class FakeCheckup:
    """Finds what it is told to, and notes what it was asked."""

    found: Sequence[Check] = FOUND
    asked: list[tuple[Access, str]] = field(default_factory=list)

    def examine(self, access: Access, address: str) -> Sequence[Check]:
        """The prepared checks."""
        self.asked.append((access, address))
        return self.found


@pytest.fixture
def checkup(woocommerce: PostingPlatform) -> FakeCheckup:
    """The WooCommerce platform can be examined."""
    woocommerce.checkup = FakeCheckup()
    return woocommerce.checkup


@pytest.fixture
def there(client: TestClient, parts: Composition, woo_shop: TestShop, checkup: FakeCheckup) -> str:
    """Where the pages of the WooCommerce shop begin; an owner is signed in."""
    sign_in(client, parts, woo_shop)
    return f"/app/shops/{shop_public_id(parts, woo_shop)}"


def page_of(client: TestClient, url: str) -> str:
    """A page as people read it."""
    answer = client.get(url)
    assert answer.status_code == 200
    return plain(answer.text.partition("<main")[2])


def test_examining_keeps_what_was_found_and_says_what_helps(
    client: TestClient, parts: Composition, woo_shop: TestShop, there: str, checkup: FakeCheckup
) -> None:
    assert "Nobody looked yet" in page_of(client, f"{there}/connection")
    answer = send(client, parts, f"{there}/checkups")
    assert answer.headers["location"] == f"{there}/connection?done=examined"
    [(access, address)] = checkup.asked
    assert (access.domain, address) == ("boutique.test", f"https://connector.test/webhooks/woocommerce/{woo_shop.shop_key}")
    page = page_of(client, f"{there}/connection")
    for words in (
        "1 thing must be mended. 1 thing is worth a look.",
        "The store answers at boutique.test.",
        "The store stopped some (12/14): order.created, order.updated",
        "WooCommerce does so after seven failures in a row.",
        "nothing is seen of a cart before the order is placed",
        "Clock of the store The store does not tell.",
        "Examine again",
    ):
        assert words in page, words
    assert page.index("To mend") < page.index("Worth a look") < page.index("In order") < page.index("Not known")
    client.headers["accept-language"] = "fr"
    page = page_of(client, f"{there}/connection")
    assert "1 point à corriger. 1 point à vérifier." in page
    assert "La boutique en a arrêté (12/14) : order.created, order.updated" in page


def test_a_second_examination_takes_the_place_of_the_first(
    client: TestClient, parts: Composition, woo_shop: TestShop, there: str, checkup: FakeCheckup
) -> None:
    send(client, parts, f"{there}/checkups")
    checkup.found = (Check("address", Verdict.GOOD, ("boutique.test",)),)
    send(client, parts, f"{there}/checkups")
    page = page_of(client, f"{there}/connection")
    assert "Everything is in order." in page
    assert "stopped" not in page
    assert scalar(parts, "select count(*) from shop_checkups") == 1


def test_the_page_of_a_shop_sums_up_and_offers_the_plugin_while_it_is_missing(
    client: TestClient, parts: Composition, there: str, checkup: FakeCheckup
) -> None:
    page = page_of(client, there)
    assert "Nobody looked yet." in page
    assert "Missing without it" in page
    assert "before WooCommerce 10.8: checkouts that were begun" in page, "nobody knows yet which checkout it has"
    send(client, parts, f"{there}/checkups")
    page = page_of(client, there)
    assert "1 thing must be mended." in page
    assert "Carts before the order: always on the classic checkout" in page
    assert "checkouts that were begun" not in page, "this store shows none"
    assert 'href="/app/companion-plugin"' in client.get(there).text
    for check, title in (
        (Check("plugin", Verdict.ATTENTION, cause="missing_drafts"), "checkouts that were begun"),
        (Check("plugin", Verdict.ATTENTION, ("1.0.0", "1.1.0"), "outdated"), "A newer plugin is out"),
        (Check("plugin", Verdict.UNKNOWN, cause="not_reached"), "Missing without it"),
    ):
        checkup.found = (check,)
        send(client, parts, f"{there}/checkups")
        assert title in page_of(client, there)
    for check in (Check("plugin", Verdict.GOOD, ("1.1.0",)), Check("plugin", Verdict.BAD, ("1.1.0",), "moved")):
        checkup.found = (check,)
        send(client, parts, f"{there}/checkups")
        assert "/app/companion-plugin" not in client.get(there).text


def test_a_platform_with_nothing_to_examine_has_neither_button_nor_panel(client: TestClient, parts: Composition, here: str) -> None:
    assert "Examin" not in page_of(client, here)
    assert "Stores of this kind have nothing to examine." in page_of(client, f"{here}/connection")
    answer = send(client, parts, f"{here}/checkups")
    assert (answer.status_code, "nothing to examine" in answer.text) == (422, True)


def test_a_shop_that_was_uninstalled_is_not_asked(client: TestClient, parts: Composition, there: str, checkup: FakeCheckup) -> None:
    run(parts, "update shops set state = 'uninstalled', credentials = null, uninstalled_at = app_now() where platform = 'woocommerce'")
    assert send(client, parts, f"{there}/checkups").status_code == 422
    assert checkup.asked == []
    for page in (client.get(there).text, client.get(f"{there}/connection").text):
        assert "checkups" not in page


def test_a_shop_whose_access_was_lost_can_be_examined(client: TestClient, parts: Composition, there: str, checkup: FakeCheckup) -> None:
    run(parts, "update shops set state = 'needs_sign_in' where platform = 'woocommerce'")
    assert send(client, parts, f"{there}/checkups").status_code == 303
    assert len(checkup.asked) == 1


def test_who_may_only_look_sees_the_result_and_no_button(client: TestClient, parts: Composition, woo_shop: TestShop, there: str) -> None:
    send(client, parts, f"{there}/checkups")
    sign_in(client, parts, woo_shop, Role.READ_ONLY)
    assert "1 thing must be mended." in page_of(client, f"{there}/connection")
    assert "<button" not in client.get(f"{there}/connection").text.partition("<main")[2].partition("</main>")[0]


def test_support_sees_what_was_found(client: TestClient, parts: Composition, woo_shop: TestShop, there: str) -> None:
    shop = shop_public_id(parts, woo_shop)
    sign_in_staff(client, parts, StaffRole.VIEWER)
    assert "Nobody looked yet" in page_of(client, f"/support/shops/{shop}/connection")
    send(client, parts, f"{there}/checkups")
    assert f'href="/support/shops/{shop}/connection"' in client.get(f"/support/shops/{shop}").text
    page = page_of(client, f"/support/shops/{shop}/connection")
    assert "The store stopped some (12/14)" in page
    assert "Examine again" not in page


@pytest.mark.spec("SEC-190")
def test_what_a_store_calls_itself_is_shown_as_text(client: TestClient, parts: Composition, there: str, checkup: FakeCheckup) -> None:
    hostile = "<script>alert(1)</script>{0}{found.__class__}{{7*7}}%(num)d"
    checkup.found = (
        Check("mailers", Verdict.ATTENTION, (hostile,), "others"),
        Check(hostile, Verdict.BAD, (hostile,), hostile),
        Check("address", Verdict.BAD, (), "redirect"),
    )
    send(client, parts, f"{there}/checkups")
    page = client.get(f"{there}/connection").text
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;{0}{found.__class__}{{7*7}}%(num)d") == 3
    assert "Connect the store again under exactly that address." in page


def test_a_result_of_another_version_is_read_as_far_as_it_goes(
    client: TestClient, parts: Composition, woo_shop: TestShop, there: str
) -> None:
    odd = [{"code": "moonphase", "verdict": "mauve", "found": [5], "more": 1}, {}]
    kept = "insert into shop_checkups (shop_id, checked_at, checks) values (:id, app_now(), cast(:checks as jsonb))"
    run(parts, kept, id=woo_shop.id, checks=json.dumps(odd))
    assert "moonphase The store does not tell." in page_of(client, f"{there}/connection")


def test_the_plugin_is_a_file_to_be_kept(client: TestClient, there: str) -> None:
    answer = client.get("/app/companion-plugin")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="connector-carts.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "connector-carts/connector-carts.php" in archive.namelist()
    client.cookies.clear()
    assert client.get("/app/companion-plugin").status_code == 303


def test_a_copy_of_the_store_that_speaks_is_named(client: TestClient, parts: Composition, there: str) -> None:
    assert "Another address speaks" not in page_of(client, there)
    run(parts, "update shops set stranger_host = 'staging.example', stranger_at = app_now() where platform = 'woocommerce'")
    assert "Another address speaks in this store’s name: staging.example Nothing is sent" in page_of(client, there)
    run(parts, "update shops set stranger_at = null where platform = 'woocommerce'")
    assert "so this is a copy" in page_of(client, there)
