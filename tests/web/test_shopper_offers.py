"""The shopper's offer: its page, its JSON, the way to the store; and nothing at all once it is over."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.canonical import PaymentState
from connector.codes import CodeKind, Restriction
from connector.rules.offers import CodeMode
from connector.store import banners, offers, shops
from connector.store.db import Wake
from connector.web.composition import Composition
from integrations.registry import make_platforms
from integrations.transport import Transport
from tests.conftest import TestShop
from tests.factories import EMAIL
from tests.sync.offer_desk import TEN_PERCENT, OfferDesk
from tests.web.conftest import browser, run, scalar

BANNER = b"\x89PNG\r\n\x1a\n not looked at here"
BODY = "Come back soon.\n\n  Until then: enjoy.  "


@pytest.fixture
def real(make_parts: Callable[..., Composition], parts: Composition) -> Iterator[Composition]:
    """A process with the real adapters, which reach nobody."""
    transport = Transport(is_closed_world=True)
    yield make_parts(make_platforms(parts.settings, transport))
    transport.close()


@pytest.fixture
def desk(real: Composition, shopify_shop: TestShop) -> OfferDesk:
    """A Shopify shop whose merchant makes offers."""
    return OfferDesk(real.services, shopify_shop.id)


@pytest.fixture
def given(desk: OfferDesk) -> str:
    """The link of a French shopper who was given ten percent."""
    desk.hold_code(ends_at=desk.now + timedelta(days=30))
    desk.publish(TEN_PERCENT, body=BODY)
    return f"/o/{desk.grant(desk.buy(language='fr-FR', first_name='Anna')).link_token}"


@pytest.fixture
def shopper(real: Composition) -> Iterator[TestClient]:
    """A browser somewhere in the world."""
    with browser(real, address="203.0.113.9", origin="https://connector.test") as client:
        yield client


def everything_of(client: TestClient, link: str) -> list[Any]:
    """All answers of a link."""
    return [client.get(link), client.get(f"{link}.json"), client.get(f"{link}/use")]


def assert_over(client: TestClient, link: str, status: str, *, code: str = "MERCI10") -> None:
    """Nothing of the offer is shown, by whichever way one looks."""
    page, said, use = everything_of(client, link)
    assert [answer.status_code for answer in (page, said, use)] == [410] * 3
    assert said.json() == {"status": status}
    for answer in (page, said, use):
        assert code.lower() not in (answer.text + repr(answer.headers)).lower()
        assert "no-store" in answer.headers["cache-control"]
        assert "location" not in answer.headers
        assert EMAIL not in answer.text


# ---------------------------------------------------------------- what is shown


@pytest.mark.spec("SH-02")
def test_a_shopper_sees_what_they_were_given_in_their_language(shopper: TestClient, given: str) -> None:
    page = shopper.get(given)
    assert page.status_code == 200
    assert '<html lang="fr">' in page.text
    for words in (
        "Thank you",
        "<p>Come back soon.</p>",
        "<p>Until then: enjoy.</p>",
        "MERCI10",
        "de réduction",
        "Valable jusqu’au",
        "Démo",
    ):
        assert words in page.text, words
    assert f'href="{given}/use"' in page.text
    for personal in (EMAIL, "Anna", "Petit"):
        assert personal not in page.text


def test_the_answer_is_kept_nowhere_found_nowhere_and_sets_no_cookie(shopper: TestClient, given: str) -> None:
    for answer in everything_of(shopper, given):
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers
    policy = shopper.get(given).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.spec("SH-02")
def test_a_storefront_of_any_site_reads_the_offer_as_json(shopper: TestClient, given: str, desk: OfferDesk) -> None:
    answer = shopper.get(f"{given}.json", headers={"origin": "https://demo.myshopify.com"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    ends_at = scalar_end(desk)
    assert said == {
        "status": "shown",
        "code": "MERCI10",
        "headline": "Thank you",
        "text": "Come back soon.\nUntil then: enjoy.",
        "gives": said["gives"],
        "ends_at": ends_at,
        "banner_url": None,
        "use_url": f"https://connector.test{given}/use",
    }
    assert "10" in said["gives"]


def scalar_end(desk: OfferDesk) -> str:
    """When the code of the only offer ends, as JSON says it."""
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        (view,) = offers.list_offers(session, shops.get_shop(session, desk.shop_id), can_send_mail=True)
        assert view.ends_at is not None
        return view.ends_at.isoformat()


def test_the_button_leads_into_the_store_which_applies_the_code(shopper: TestClient, given: str) -> None:
    answer = shopper.get(f"{given}/use", params={"u": "https://evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (302, "https://demo.myshopify.com/discount/MERCI10")


def test_where_a_store_applies_nothing_by_itself_the_button_leads_to_its_front(
    real: Composition, shopper: TestClient, woo_shop: TestShop
) -> None:
    desk = OfferDesk(real.services, woo_shop.id)
    desk.hold_code()
    desk.publish()
    link = f"/o/{desk.grant(desk.buy()).link_token}"
    answer = shopper.get(f"{link}/use")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://boutique.test")
    assert "MERCI10" in shopper.get(link).text, "it must be typed there"


def test_a_store_without_a_usable_address_is_led_to_by_nobody(shopper: TestClient, given: str, real: Composition) -> None:
    run(real, "update shops set url = 'javascript:alert(1)', hosts = '{}', domain = ''")
    page = shopper.get(given)
    assert (page.status_code, "/use" in page.text, "MERCI10" in page.text) == (200, False, True)
    assert shopper.get(f"{given}.json").json()["use_url"] is None
    assert shopper.get(f"{given}/use").status_code == 404


def test_what_the_store_gives_now_is_what_is_said(shopper: TestClient, given: str, desk: OfferDesk) -> None:
    """The merchant halved it in the store's admin: the page promises no more than the store gives."""
    desk.hold_code(kind=CodeKind.FIXED_AMOUNT, value=5, currency="EUR", minimum_subtotal=40)
    assert shopper.get(f"{given}.json").json()["gives"].startswith("5,00")
    assert "40,00" in shopper.get(given).text


@pytest.mark.spec("SH-24")
def test_who_holds_a_version_still_sees_that_one_after_the_offer_was_edited(
    shopper: TestClient, given: str, desk: OfferDesk, real: Composition
) -> None:
    desk.hold_code("MERCI20")
    name = desk.offer(scalar(real, "select public_id from offers")).public_id
    desk.change(name, headline="Twenty now", code="MERCI20")
    desk.tend()
    newer = f"/o/{desk.grant(desk.buy('bob@example.org')).link_token}"
    assert [shopper.get(f"{link}.json").json()["code"] for link in (given, newer)] == ["MERCI10", "MERCI20"]
    assert [shopper.get(f"{link}.json").json()["headline"] for link in (given, newer)] == ["Thank you", "Twenty now"]
    assert "Twenty now" not in shopper.get(given).text


def test_the_first_opening_is_noted_and_asking_for_the_head_or_the_json_is_none(shopper: TestClient, given: str, real: Composition) -> None:
    shopper.head(given)
    shopper.get(f"{given}.json")
    assert scalar(real, "select opened_at from grants") is None
    shopper.get(given)
    first = scalar(real, "select opened_at from grants")
    assert first is not None
    shopper.get(given)
    assert scalar(real, "select opened_at from grants") == first


def test_the_opening_counts_as_the_click_of_a_mail_that_has_left(shopper: TestClient, given: str, real: Composition) -> None:
    shopper.get(given)
    assert scalar(real, "select clicked_at from grant_mails") is None, "it has not left: somebody else showed the link"
    run(real, "update grant_mails set state = 'sent', handed_over_at = app_now()")
    shopper.get(given)
    first = scalar(real, "select clicked_at from grant_mails")
    assert first is not None
    shopper.get(f"{given}/use")
    assert scalar(real, "select clicked_at from grant_mails") == first


def test_hostile_words_of_a_merchant_are_words(shopper: TestClient, desk: OfferDesk) -> None:
    hostile = '"><script>alert(1)</script>{{7*7}}'
    desk.hold_code()
    desk.publish(headline=hostile, body=hostile)
    page = shopper.get(f"/o/{desk.grant(desk.buy()).link_token}").text
    assert "<script>" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}") == 3


# ---------------------------------------------------------------- what is over


@pytest.mark.spec("SH-04")
def test_at_the_end_of_its_code_the_offer_is_gone_though_nobody_looked_at_it(
    shopper: TestClient, given: str, desk: OfferDesk, real: Composition
) -> None:
    """RL-142: no worker runs here; what a link shows is judged by our own clock at this very read."""
    desk.later(days=29, hours=23)
    assert shopper.get(given).status_code == 200
    desk.later(hours=1, seconds=1)
    assert desk.grants()[0].state == "live", "nobody has written it down"
    assert_over(shopper, given, "expired")
    assert "Cette offre est terminée" in shopper.get(given).text
    desk.tend()
    assert scalar(real, "select state || ' ' || reason from offers") == "suspended code_expired"


@pytest.mark.spec("SH-04")
def test_with_its_code_the_offer_is_gone(shopper: TestClient, given: str, desk: OfferDesk, real: Composition) -> None:
    desk.drop_code()
    assert_over(shopper, given, "missing")
    desk.tend()
    assert_over(shopper, given, "ended")
    assert scalar(real, "select state || ' ' || reason from offers") == "suspended code_deleted"


@pytest.mark.spec("SH-03")
def test_who_used_a_code_that_is_good_once_sees_it_no_more(shopper: TestClient, given: str, desk: OfferDesk) -> None:
    desk.later(hours=1)
    desk.buy(discount_codes=["merci10"])
    assert_over(shopper, given, "used")
    assert "Cette offre a déjà servi" in shopper.get(given).text


@pytest.mark.spec("SH-03")
def test_a_code_that_may_be_used_again_is_still_shown_until_all_its_uses_are_gone(shopper: TestClient, desk: OfferDesk) -> None:
    desk.hold_code(once_per_customer=False, usage_limit=2)
    desk.publish(once_per_customer=False)
    link = f"/o/{desk.grant(desk.buy()).link_token}"
    desk.later(hours=1)
    desk.buy(discount_codes=["MERCI10"])
    assert shopper.get(f"{link}.json").json()["code"] == "MERCI10"
    desk.hold_code(once_per_customer=False, usage_limit=2, used=2)
    assert_over(shopper, link, "used_up")


@pytest.mark.spec("SH-05")
@pytest.mark.parametrize("act", ["deactivate", "delete"])
def test_what_the_merchant_switched_off_is_shown_to_nobody(
    shopper: TestClient, given: str, desk: OfferDesk, real: Composition, act: str
) -> None:
    desk.act(scalar(real, "select public_id from offers"), act)
    assert_over(shopper, given, "offer_off")
    if act == "deactivate":
        desk.act(scalar(real, "select public_id from offers"), "publish")
        assert shopper.get(given).status_code == 200


def test_a_refunded_order_takes_its_offer_along(shopper: TestClient, desk: OfferDesk) -> None:
    desk.hold_code()
    desk.publish()
    order = desk.buy()
    link = f"/o/{desk.grant(order).link_token}"
    desk.change_order(order, payment_state=PaymentState.REFUNDED)
    assert_over(shopper, link, "suspended")


def test_a_code_that_is_being_made_is_asked_for_again(shopper: TestClient, desk: OfferDesk, real: Composition) -> None:
    desk.publish(mode=CodeMode.UNIQUE, code=None, valid_days=30, prefix="CODE")
    link = f"/o/{desk.grant(desk.buy()).link_token}"
    assert_over(shopper, link, "preparing", code="CODE-")
    run(real, "update grants set language = 'en-GB'")
    assert "Your code is being made" in shopper.get(link).text


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"restrictions": (Restriction.PRODUCTS,)}, "restricted_to_products"), ({"kind": CodeKind.OTHER}, "wrong_kind")],
)
def test_a_code_that_does_not_give_what_was_said_any_more_is_not_shown(
    shopper: TestClient, given: str, desk: OfferDesk, changes: dict[str, Any], status: str
) -> None:
    desk.hold_code(**changes)
    assert_over(shopper, given, status)
    assert "pas utilisable pour le moment" in shopper.get(given).text


@pytest.mark.parametrize("change", ["state = 'needs_sign_in'", "storefront = 'password'", "storefront = 'frozen'"])
def test_while_nobody_can_buy_in_the_store_nothing_is_shown(shopper: TestClient, given: str, real: Composition, change: str) -> None:
    run(real, f"update shops set {change}")
    assert_over(shopper, given, "offer_off")
    run(real, "update shops set state = 'connected', storefront = 'open'")
    assert shopper.get(given).status_code == 200


def test_what_is_over_and_not_written_down_yet_is_looked_at_now(
    shopper: TestClient, given: str, desk: OfferDesk, real: Composition
) -> None:
    rung: list[Wake] = []
    real.db.on_wake(rung.append)
    shopper.get(given)
    assert rung == []
    desk.later(days=31)
    for answer in everything_of(shopper, given):
        assert answer.status_code == 410
    assert {(wake.job, wake.shop_id) for wake in rung} == {("tend_offers", desk.shop_id)}
    real.db.on_wake(lambda wake: None)
    desk.tend()
    real.db.on_wake(rung.append)
    rung.clear()
    shopper.get(given)
    assert rung == [], "what is written down needs nobody"


# ---------------------------------------------------------------- links that are none


@pytest.mark.spec("SEC-210", "SEC-213")
def test_a_token_that_was_never_given_out_leads_nowhere(shopper: TestClient, given: str, real: Composition) -> None:
    token = given.removeprefix("/o/")
    flipped = token[:-1] + ("A" if token[-1] != "A" else "Q")
    public_id = scalar(real, "select public_id from grants")
    for wrong in (flipped, token[:-1], token + "A", token.swapcase(), "1", EMAIL, "%00" * 22, "' or 1=1 --", public_id):
        page, said, use = everything_of(shopper, f"/o/{wrong}")
        assert [answer.status_code for answer in (page, said, use)] == [404] * 3, wrong
        assert said.json() == {"status": "unknown"}
    for method in ("POST", "PUT", "DELETE"):
        assert shopper.request(method, given).status_code == 405
    assert scalar(real, "select state from grants") == "live"


# ---------------------------------------------------------------- pictures


def test_a_picture_is_served_to_whoever_shows_the_offer_and_never_changes(shopper: TestClient, desk: OfferDesk) -> None:
    with desk.services.db.transaction(shop=desk.shop_id) as session:
        row = banners.save_banner(session, desk.shop_id, content=BANNER, content_type="image/png", width=933, height=480)
    desk.hold_code()
    desk.publish(banner_id=row.id)
    link = f"/o/{desk.grant(desk.buy()).link_token}"
    address = f"/banners/{row.public_id}"
    assert f'<img class="offer-banner" src="{address}"' in shopper.get(link).text
    assert shopper.get(f"{link}.json").json()["banner_url"] == f"https://connector.test{address}"
    answer = shopper.get(address)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, BANNER, "image/png")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert shopper.head(address).status_code == 200
    for wrong in (f"bnr_{'0' * 8}-0000-7000-8000-{'0' * 12}", "1", "' or 1=1", row.public_id.upper()):
        assert shopper.get(f"/banners/{wrong}").status_code == 404
