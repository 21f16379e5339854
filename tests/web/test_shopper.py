"""The links in our messages: back to the checkout, and out."""

import pytest
from starlette.testclient import TestClient

from connector.canonical import Channel
from connector.store import outgoing, people
from connector.web.composition import Composition
from sync.send import claim
from tests.conftest import TestShop, install
from tests.factories import EMAIL
from tests.web.conftest import Seed, abandon, browser, run, scalar, turn_on

RECOVERY = "https://demo.myshopify.com/checkouts/tok-1/recover?key=k"


@pytest.fixture
def queued(parts: Composition, shopify_shop: TestShop, seed: Seed) -> TestShop:
    """A shop with one reminder queued to Anna."""
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=90, recovery_url=RECOVERY, language="fr-FR")
    assert abandon(parts, shopify_shop) == 1
    return shopify_shop


def link_token(parts: Composition) -> str:
    return str(scalar(parts, "select link_token from messages order by id limit 1"))


def unsubscribe_token(parts: Composition) -> str:
    return str(scalar(parts, "select unsubscribe_token from messages order by id limit 1"))


def clicked(parts: Composition) -> object:
    return scalar(parts, "select clicked_at from messages order by id limit 1")


# ---------------------------------------------------------------- /r/


@pytest.mark.spec("SEC-212")
def test_the_link_leads_back_to_the_checkout_and_the_first_click_is_noted(client: TestClient, parts: Composition, queued: TestShop) -> None:
    answer = client.get(f"/r/{link_token(parts)}")
    assert (answer.status_code, answer.headers["location"]) == (302, RECOVERY)
    assert answer.headers["cache-control"] == "no-store"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert EMAIL not in answer.text
    first = clicked(parts)
    assert first is not None
    client.get(f"/r/{link_token(parts)}")
    assert clicked(parts) == first


def test_a_discount_code_and_campaign_names_of_our_link_go_along(client: TestClient, parts: Composition, queued: TestShop) -> None:
    query = {"discount": "THANKS-10", "utm_source": "connector", "utm_campaign": "abandoned checkout", "next": "https://evil.example"}
    answer = client.get(f"/r/{link_token(parts)}", params=query)
    carried = "discount=THANKS-10&utm_source=connector&utm_campaign=abandoned+checkout"
    assert (answer.status_code, answer.headers["location"]) == (302, f"{RECOVERY}&{carried}")


def test_a_filter_that_only_asks_for_the_head_is_no_click(client: TestClient, parts: Composition, queued: TestShop) -> None:
    answer = client.head(f"/r/{link_token(parts)}")
    assert (answer.status_code, answer.headers["location"]) == (302, RECOVERY)
    assert clicked(parts) is None


@pytest.mark.spec("SEC-199")
@pytest.mark.parametrize(
    "recovery", ["https://evil.example/recover", "http://demo.myshopify.com/x", "https://demo.myshopify.com@evil.example/", None]
)
def test_a_foreign_host_is_never_a_target(recovery: str | None, client: TestClient, parts: Composition, queued: TestShop) -> None:
    run(parts, "update checkouts set recovery_url = :url", url=recovery)
    answer = client.get(f"/r/{link_token(parts)}", params={"u": "https://evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (302, "https://demo.myshopify.com")


def test_a_shop_without_a_usable_address_is_no_target_either(client: TestClient, parts: Composition, queued: TestShop) -> None:
    run(parts, "update checkouts set recovery_url = null")
    run(parts, "update shops set url = 'javascript:alert(1)'")
    assert client.get(f"/r/{link_token(parts)}").status_code == 404
    assert clicked(parts) is None


def test_the_pretend_store_is_opened_on_loopback(parts: Composition, queued: TestShop, make_parts: object) -> None:
    assert callable(make_parts)
    local: Composition = make_parts(browser_map={"https://demo.myshopify.com": "http://127.0.0.1:9001"})
    with browser(local) as client:
        answer = client.get(f"/r/{link_token(parts)}")
    assert answer.headers["location"] == "http://127.0.0.1:9001/checkouts/tok-1/recover?key=k"


@pytest.mark.spec("SEC-210", "SEC-213")
@pytest.mark.parametrize("prefix", ["r", "u"])
def test_a_token_that_was_never_given_out_leads_nowhere(prefix: str, client: TestClient, parts: Composition, queued: TestShop) -> None:
    real = link_token(parts) if prefix == "r" else unsubscribe_token(parts)
    flipped = real[:-1] + ("A" if real[-1] != "A" else "Q")
    for token in (flipped, real[:-1], real + "A", real.swapcase(), "1", EMAIL, "%00" * 22, "' or 1=1 --"):
        assert client.get(f"/{prefix}/{token}").status_code == 404, token
    other = unsubscribe_token(parts) if prefix == "r" else link_token(parts)
    assert client.get(f"/{prefix}/{other}").status_code == 404


def test_a_dead_link_says_so_in_the_readers_language(client: TestClient) -> None:
    assert "ne fonctionne plus" in client.get("/r/none", headers={"accept-language": "fr-CA;q=0.9, en"}).text
    assert "does not work any more" in client.get("/r/none", headers={"accept-language": "de"}).text
    assert "does not work any more" in client.get("/u/none").text


# ---------------------------------------------------------------- /u/


@pytest.mark.spec("SEC-214")
def test_reading_the_unsubscribe_page_changes_nothing_and_shows_no_address(
    client: TestClient, parts: Composition, queued: TestShop
) -> None:
    for answer in (client.get(f"/u/{unsubscribe_token(parts)}"), client.head(f"/u/{unsubscribe_token(parts)}")):
        assert answer.status_code == 200
        assert EMAIL not in answer.text
        assert "set-cookie" not in answer.headers
    page = client.get(f"/u/{unsubscribe_token(parts)}").text
    assert '<html lang="fr">' in page
    assert "Ne souhaitez-vous plus recevoir" in page
    assert "Démo" in page
    assert scalar(parts, "select count(*) from suppressions") == 0
    assert scalar(parts, "select state from messages") == "queued"


@pytest.mark.spec("SW-08")
@pytest.mark.parametrize("body", [b"List-Unsubscribe=One-Click", b"", b"anything \xff"])
def test_one_click_unsubscribes_at_once_without_sign_in(body: bytes, parts: Composition, queued: TestShop, seed: Seed) -> None:
    mail_provider = browser(parts, address="203.0.113.9", origin="https://connector.test")
    answer = mail_provider.post(
        f"/u/{unsubscribe_token(parts)}",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded", "origin": "https://mail.example"},
    )
    assert answer.status_code == 200
    assert "Vous êtes désabonné" in answer.text
    assert scalar(parts, "select state || ' ' || reason from messages") == "cancelled suppressed"
    assert scalar(parts, "select reason from decisions") == "suppressed"
    seed(queued, minutes=80, platform_id="tok-2", token="tok-2", email=EMAIL.upper())
    abandon(parts, queued)
    assert scalar(parts, "select count(*) from messages") == 1
    assert claim(parts.services, queued.id) is None


@pytest.mark.spec("SW-16")
def test_an_unsubscribe_holds_for_its_own_shop_only(client: TestClient, parts: Composition, queued: TestShop) -> None:
    other = install(parts.db, parts.services.vault, "shopify", "autre.myshopify.com", "Autre")
    assert client.post(f"/u/{unsubscribe_token(parts)}").status_code == 200
    for shop, expected in ((queued, {EMAIL}), (other, set())):
        with parts.db.transaction(shop=shop.id) as session:
            assert people.suppressed_among(session, parts.services.vault, shop.id, Channel.EMAIL, [EMAIL]) == expected


def test_unsubscribing_twice_is_unsubscribing_once(client: TestClient, parts: Composition, queued: TestShop) -> None:
    assert [client.post(f"/u/{unsubscribe_token(parts)}").status_code for _ in range(2)] == [200, 200]
    assert parts.metrics.messages.values() == {("email", "cancelled"): 1}
    assert scalar(parts, "select count(*) from suppressions") == 1
    assert scalar(parts, "select jsonb_array_length(history) from decisions") == 2


def test_a_message_that_left_stays_sent_after_an_unsubscribe(client: TestClient, parts: Composition, queued: TestShop) -> None:
    with parts.db.transaction(shop=queued.id) as session:
        held = outgoing.hold_next(session, queued.id)
        assert held is not None
        held.message.state = "sent"
    assert client.post(f"/u/{unsubscribe_token(parts)}").status_code == 200
    assert scalar(parts, "select state from messages") == "sent"
    assert scalar(parts, "select count(*) from suppressions") == 1


def test_an_english_reader_gets_english(client: TestClient, parts: Composition, queued: TestShop) -> None:
    run(parts, "update checkouts set language = 'en-GB'")
    page = client.get(f"/u/{unsubscribe_token(parts)}").text
    assert '<html lang="en">' in page
    assert "Do you no longer want" in page


def test_a_post_to_an_unknown_token_changes_nothing(client: TestClient, parts: Composition, queued: TestShop) -> None:
    assert client.post("/u/AAAAAAAAAAAAAAAAAAAAAA").status_code == 404
    assert client.post("/r/AAAAAAAAAAAAAAAAAAAAAA").status_code == 405
    assert scalar(parts, "select count(*) from suppressions") == 0
