"""The way out in the mail of an offer: from this address nothing more is asked, and nothing more is sent to it."""

import pytest
from starlette.testclient import TestClient

from connector.canonical import Channel
from connector.store import people
from connector.web.composition import Composition
from sync import offer_mails
from tests.conftest import TestShop
from tests.factories import EMAIL
from tests.sync.offer_desk import OfferDesk
from tests.web.conftest import Seed, abandon, browser, run, scalar, turn_on


@pytest.fixture
def desk(parts: Composition, shopify_shop: TestShop) -> OfferDesk:
    """An active offer, given to Anna; its mail is queued."""
    made = OfferDesk(parts.services, shopify_shop.id)
    made.hold_code()
    made.publish()
    made.buy(EMAIL, language="fr-FR")
    # What she leaves behind from now on was not bought with that order.
    made.later(hours=3)
    return made


def way_out(parts: Composition) -> str:
    return "/u/" + str(scalar(parts, "select unsubscribe_token from grant_mails order by grant_id limit 1"))


def suppressed(parts: Composition, shop: TestShop) -> set[str]:
    with parts.db.transaction(shop=shop.id) as session:
        return people.suppressed_among(session, parts.services.vault, shop.id, Channel.EMAIL, [EMAIL])


def test_reading_the_page_asks_in_the_shoppers_language_and_changes_nothing(
    client: TestClient, parts: Composition, desk: OfferDesk
) -> None:
    page = client.get(way_out(parts))
    assert page.status_code == client.head(way_out(parts)).status_code == 200
    assert '<html lang="fr">' in page.text
    assert "e-mails de Démo avec des offres ou au sujet de commandes inachevées" in page.text
    assert EMAIL not in page.text
    assert scalar(parts, "select count(*) from suppressions") == 0
    assert scalar(parts, "select state from grant_mails") == "queued"
    run(parts, "update grants set language = 'en'")
    assert "e-mails with offers, or about unfinished orders, from Démo" in client.get(way_out(parts)).text


@pytest.mark.parametrize("body", [b"List-Unsubscribe=One-Click", b"", b"anything \xff"])
def test_one_click_ends_all_mails_to_this_address_at_once(
    body: bytes, parts: Composition, desk: OfferDesk, shopify_shop: TestShop, seed: Seed
) -> None:
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=-60, email=EMAIL)
    assert abandon(parts, shopify_shop) == 1
    mail_provider = browser(parts, address="203.0.113.9", origin="https://connector.test")
    answer = mail_provider.post(
        way_out(parts), content=body, headers={"content-type": "application/x-www-form-urlencoded", "origin": "https://mail.example"}
    )
    assert answer.status_code == 200
    assert "Vous êtes désabonné" in answer.text
    assert suppressed(parts, shopify_shop) == {EMAIL}
    assert scalar(parts, "select state || ' ' || reason from grant_mails") == "cancelled suppressed"
    assert scalar(parts, "select state || ' ' || reason from messages") == "cancelled suppressed"
    assert parts.metrics.messages.values() == {("email", "cancelled"): 2}

    # The offer itself stays theirs, and the next one comes without a mail.
    assert scalar(parts, "select state from grants") == "live"
    run(parts, "update grants set state = 'used'")
    desk.buy(EMAIL.upper())
    assert offer_mails.claim(parts.services, shopify_shop.id) is None
    assert scalar(parts, "select state || ' ' || reason from grant_mails order by grant_id desc limit 1") == "cancelled suppressed"


def test_the_way_out_of_a_reminder_ends_the_mails_of_offers_too(
    client: TestClient, parts: Composition, desk: OfferDesk, shopify_shop: TestShop, seed: Seed
) -> None:
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=-60, email=EMAIL.upper())
    assert abandon(parts, shopify_shop) == 1
    assert client.post("/u/" + str(scalar(parts, "select unsubscribe_token from messages"))).status_code == 200
    assert scalar(parts, "select state || ' ' || reason from grant_mails") == "cancelled suppressed"


def test_doing_it_twice_is_doing_it_once_and_what_left_stays_sent(
    client: TestClient, parts: Composition, desk: OfferDesk, shopify_shop: TestShop
) -> None:
    assert offer_mails.claim(parts.services, shopify_shop.id) is not None
    run(parts, "update grant_mails set state = 'sent'")
    assert [client.post(way_out(parts)).status_code for _ in range(2)] == [200, 200]
    assert scalar(parts, "select count(*) from suppressions") == 1
    assert scalar(parts, "select state from grant_mails") == "sent"


def test_the_token_of_the_offers_own_page_is_no_way_out(client: TestClient, parts: Composition, desk: OfferDesk) -> None:
    assert client.post("/u/" + str(scalar(parts, "select link_token from grants"))).status_code == 404
    assert scalar(parts, "select count(*) from suppressions") == 0
