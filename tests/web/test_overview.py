"""What the operator reads: every shop, every checkout, and why."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from connector.canonical import Channel, Phone, Product, Stage, Variant
from connector.rules.automations import CheckoutFacts
from connector.store import people, records
from connector.web.composition import Composition
from connector.web.support.states import CheckoutState, checkout_state
from tests.conftest import TestShop, install
from tests.factories import EMAIL, T0, at, make_cart, make_line, make_order, terms
from tests.web.conftest import Seed, abandon, browser, run, scalar, shop_public_id, turn_on


def rows(page: str) -> list[str]:
    """The table rows as people read them."""
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip() for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]


def row_of(page: str, who: str) -> str:
    found = [row for row in rows(page) if row.startswith(who)]
    assert len(found) == 1, found
    return found[0]


def add_delivery(parts: Composition, shop: TestShop | None, topic: str, state: str, reason: str | None = None) -> int:
    return int(
        scalar(
            parts,
            """insert into deliveries (key, shop_id, platform, topic, state, reason, received_at, received_on)
               values (sha256(gen_random_uuid()::text::bytea), :shop, 'shopify', :topic, :state, :reason, app_now(), app_now()::date)
               returning id""",
            shop=shop.id if shop else None,
            topic=topic,
            state=state,
            reason=reason,
        )
    )


# ---------------------------------------------------------------- the overview


def test_an_empty_installation_says_how_to_begin(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "No shop is connected yet" in page.text
    assert 'href="/connect/woocommerce"' in page.text


@pytest.mark.spec("SQ-12")
def test_the_switch_and_the_delay_sit_with_the_list_and_can_be_changed_there(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed
) -> None:
    seed(shopify_shop)
    page = client.get("/").text
    for shop in (shopify_shop, woo_shop):
        action = f'<form class="inline" method="post" action="/shops/{shop_public_id(parts, shop)}/automation">'
        assert page.count(action) == 1
        assert shop.domain in page
    assert page.count('name="is_on" value="on"') == 2
    client.post(f"/shops/{shop_public_id(parts, woo_shop)}/automation", data={"is_on": "on", "minutes": "90", "back": "overview"})
    page = client.get("/").text
    assert page.count('name="is_on" value="on"') == 1
    assert page.count('name="is_on" value="off"') == 1
    assert "after 1 hour 30 minutes" in page


def test_every_state_of_a_checkout_is_told_with_its_reason(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed, now: datetime
) -> None:
    turn_on(parts, shopify_shop)

    def add(name: str, minutes: float, **changes: object) -> None:
        seed(shopify_shop, minutes=minutes, **({"platform_id": name, "token": name, "email": f"{name}@example.org"} | changes))

    add("left", 90, total=Decimal("1234.5"))
    add("back", 90)
    abandon(parts, shopify_shop)
    order = make_order(now, platform_id="o1", checkout_token="back", email="back@example.org")
    add("back", 90, order=order)
    add("busy", 5)
    add("done", 5, completed_at=now)
    add("shut", 5, closed_at=now)
    add("void", 5, lines=())
    add("anon", 90, email=None)
    abandon(parts, shopify_shop)
    page = client.get("/").text
    assert "abandoned Abandoned: a reminder is queued queued" in row_of(page, "left@example.org €1,234.50")
    assert " recovered " in row_of(page, "back@example.org")
    assert "waiting The shopper may still finish" in row_of(page, "busy@example.org")
    assert "purchased An order was placed" in row_of(page, "done@example.org")
    assert "closed The store closed or deleted the checkout" in row_of(page, "shut@example.org")
    assert "emptied The shopper emptied the cart" in row_of(page, "void@example.org")
    assert "no contact No e-mail address is known" in row_of(page, "—")


@pytest.mark.spec("SQ-04")
def test_a_checkout_that_nobody_can_be_told_about_says_not_identified(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed
) -> None:
    turn_on(parts, shopify_shop)
    public_id = seed(shopify_shop, minutes=90, email=None)
    abandon(parts, shopify_shop)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        records.save_checkouts(session, terms(shopify_shop), [make_cart()])
    assert scalar(parts, "select count(*) from messages") == 0
    assert scalar(parts, "select count(*) from decisions") == 0
    assert client.get("/").text.count("No e-mail address is known") == 2
    assert "No e-mail address is known" in client.get(f"/checkouts/{public_id}").text


def test_a_cart_is_listed_until_its_checkout_is(client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed) -> None:
    seed(shopify_shop, stage=Stage.CART, platform_id="cart-1", cart_token="cart-1", email=None, recovery_url=None)
    assert len(rows(client.get("/").text)) == 2
    seed(shopify_shop, cart_token="cart-1")
    found = rows(client.get("/").text)
    assert len(found) == 2
    assert found[1].startswith(EMAIL)


def test_an_undecided_checkout_of_an_unsubscribed_shopper_says_so(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed
) -> None:
    turn_on(parts, shopify_shop)
    seed(shopify_shop)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        people.suppress(session, parts.services.vault, shopify_shop.id, Channel.EMAIL, EMAIL, "unsubscribed")
    assert "The shopper unsubscribed" in row_of(client.get("/").text, EMAIL)


def test_times_are_told_in_the_time_of_the_shop(
    client: TestClient, shopify_shop: TestShop, woo_shop: TestShop, parts: Composition, seed: Seed
) -> None:
    run(parts, "update shops set timezone = 'Asia/Tokyo' where id = :id", id=woo_shop.id)
    seed(shopify_shop, created_at=T0)
    seed(woo_shop, created_at=T0)
    page = client.get("/").text
    assert 'title="20 Nov 2026, 10:00:00 CET">20 Nov 2026, 10:00<' in page
    assert 'title="20 Nov 2026, 18:00:00 JST">20 Nov 2026, 18:00<' in page
    assert "times in Europe/Paris" in page
    assert "times in Asia/Tokyo" in page


def test_the_list_goes_on_page_by_page_newest_first(client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed) -> None:
    for number in range(53):
        name = f"p{number:02}"
        seed(shopify_shop, platform_id=name, token=name, email=f"{name}@example.org", created_at=T0 + timedelta(minutes=number // 2))
    page = client.get("/").text
    shown = re.findall(r">(p\d\d)@example.org<", page)
    assert len(shown) == 50
    assert shown == sorted(shown, reverse=True)
    older = re.search(r'href="(/\?shop=[^"]+)">Older', page)
    assert older is not None
    rest = client.get(older.group(1).replace("&amp;", "&")).text
    assert re.findall(r">(p\d\d)@example.org<", rest) == ["p02", "p01", "p00"]
    assert ">Older<" not in rest
    assert ">Newest<" in rest
    public_id = shop_public_id(parts, shopify_shop)
    gone = client.get("/", params={"shop": public_id, "before": "chk_0198c5f2-0000-7000-8000-000000000000"})
    assert gone.status_code == 200
    assert "No checkouts here" in gone.text
    assert client.get("/", params={"shop": public_id, "before": "' or 1=1"}).status_code == 404
    assert client.get("/", params={"shop": "demo.myshopify.com"}).status_code == 404


def test_one_shops_list_shows_nothing_of_another(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed
) -> None:
    seed(woo_shop, email="other@example.org")
    foreign = seed(shopify_shop)
    page = client.get("/", params={"shop": shop_public_id(parts, woo_shop), "before": foreign}).text
    assert EMAIL not in page
    page = client.get("/", params={"shop": shop_public_id(parts, woo_shop)}).text
    assert "other@example.org" in page
    assert EMAIL not in page
    assert "demo.myshopify.com" not in page


def test_with_many_shops_each_list_is_short(client: TestClient, parts: Composition, seed: Seed) -> None:
    made = [install(parts.db, parts.services.vault, "shopify", f"s{number}.myshopify.com", f"S{number}") for number in range(6)]
    for number in range(11):
        seed(made[0], platform_id=f"p{number}", token=f"p{number}", email=f"p{number}@example.org")
    page = client.get("/").text
    assert len(re.findall(r">p\d+@example.org<", page)) == 10
    assert ">Older<" in page


def test_what_came_in_is_counted_and_what_made_no_sense_is_named(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    assert "None came in." in client.get("/").text
    for state in ("applied", "applied", "pending", "no_meaning_yet", "after_uninstall"):
        add_delivery(parts, shopify_shop, "orders/create", state)
    number = add_delivery(parts, shopify_shop, "checkouts/update", "quarantined", "currency")
    run(
        parts,
        """insert into unknown_shops (platform, shop_ref, topic, count, last_at)
           values ('shopify', 'x.myshopify.com', 'orders/create', 7, app_now())""",
    )
    page = client.get("/").text
    assert "<strong>2</strong> applied" in page
    assert "<strong>1</strong> waiting" in page
    assert "<strong>1</strong> quarantined" in page
    assert f"{number} checkouts/update currency" in row_of(page, str(number))
    assert "x.myshopify.com Shopify orders/create 7" in row_of(page, "x.myshopify.com")
    shop = client.get(f"/shops/{shop_public_id(parts, shopify_shop)}").text
    assert "checkouts/update 1 1" in row_of(shop, "checkouts/update")


@pytest.mark.spec("SEC-190")
def test_hostile_texts_are_shown_as_texts(client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed) -> None:
    hostile = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    run(parts, "update shops set name = :name", name=hostile)
    public_id = seed(
        shopify_shop,
        first_name=hostile,
        discount_codes=(hostile,),
        number=hostile,
        lines=(make_line(title=hostile, variant_title=hostile, image_url=f"https://x.example/{hostile}"),),
        checkout_phone=Phone(hostile),
    )
    for path in ("/", f"/checkouts/{public_id}", f"/shops/{shop_public_id(parts, shopify_shop)}"):
        page = client.get(path).text
        assert "<script>" not in page, path
        assert "<img src=x" not in page, path
        assert "&lt;script&gt;" in page, path


# ---------------------------------------------------------------- one checkout


def test_the_page_of_a_checkout_tells_everything(
    parts: Composition, shopify_shop: TestShop, seed: Seed, now: datetime, make_parts: Callable[..., Composition]
) -> None:
    turn_on(parts, shopify_shop)
    lines = (
        make_line("101", 2, variant_title="Bleu"),
        make_line("102", image_url="http://plain.example/a.jpg"),
        make_line("103", image_url=None),
    )
    extra = {"customer_id": "7340", "phone": Phone("06 45 67 89 01", "+33645678901"), "subtotal": Decimal("37.5"), "accepts_email": True}
    seed(shopify_shop, minutes=95, number="#77", language="fr")
    public_id = seed(shopify_shop, minutes=90, lines=lines, first_name="Anna", last_name="Petit", number="#77", **extra)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        variant = Variant("101", image_url="https://cdn.example/variant.jpg")
        records.save_products(session, shopify_shop.id, [Product("p101", T0, "Bougie", variants=(variant,))], T0)
        delivery = add_delivery(parts, shopify_shop, "checkouts/update", "applied")
        hashes = [parts.services.vault.keyed_hash("person", str(shopify_shop.id), "email", EMAIL)]
        people.save_delivery_people(session, shopify_shop.id, {delivery: hashes})
    abandon(parts, shopify_shop)
    run(parts, "update messages set state = 'sent', handed_over_at = app_now(), clicked_at = app_now(), detail = '250 ok'")
    order = make_order(now, checkout_token="tok-1", number="1001", total=Decimal(40))
    seed(shopify_shop, order=order, minutes=90, lines=lines, first_name="Anna", last_name="Petit", number="#77", **extra)
    with browser(make_parts(browser_map={"https://cdn.example": "http://127.0.0.1:9001"})) as client:
        page = client.get(f"/checkouts/{public_id}").text
    assert "recovered" in page
    assert row_of(page, "Bougie 101 Bleu") == "Bougie 101 Bleu 2 €12.50 €25.00"
    assert '<img src="http://127.0.0.1:9001/variant.jpg"' in page
    assert "plain.example" not in page
    assert "Abandoned: a reminder is queued" in page
    assert "sent" in row_of(page, EMAIL)
    assert "250 ok" in page
    assert "Anna Petit" in page
    assert "06 45 67 89 01" in page
    assert "1001" in page
    assert "€40.00" in page
    assert "the checkout’s token" in page
    assert f"{delivery} checkouts/update applied" in row_of(page, str(delivery))
    assert page.count("did something") == 2
    assert "€37.50" in page


def test_the_page_of_a_bare_checkout_renders_too(client: TestClient, shopify_shop: TestShop, seed: Seed) -> None:
    public_id = seed(shopify_shop, email=None, lines=(), recovery_url=None)
    page = client.get(f"/checkouts/{public_id}").text
    assert "The cart is empty." in page
    assert "No order came of it so far." in page
    assert "None that name this person." in page
    assert "as of now" in page
    assert "none was given" in page


def test_a_checkout_that_does_not_exist_has_no_page(client: TestClient, shopify_shop: TestShop) -> None:
    for name in ("chk_0198c5f2-0000-7000-8000-000000000000", "1", "%00"):
        assert client.get(f"/checkouts/{name}").status_code == 404


def test_a_checkout_that_vanishes_while_it_is_read_has_no_page(
    client: TestClient, shopify_shop: TestShop, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.store.overview.find_checkout_shop", lambda session, public_id: shopify_shop.id)
    assert client.get("/checkouts/chk_0198c5f2-0000-7000-8000-000000000000").status_code == 404


# ---------------------------------------------------------------- one shop


def test_the_shops_page_tells_how_it_is_connected(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    page = client.get(f"/shops/{shop_public_id(parts, shopify_shop)}").text
    for words in (
        "Démo",
        "read_orders",
        "demo.myshopify.com",
        "bonjour@demo.myshopify.com",
        "8 rue du Bac",
        "https://connector.test/webhooks/shopify<",
    ):
        assert words in page
    assert "Check again" not in page
    page = client.get(f"/shops/{shop_public_id(parts, woo_shop)}").text
    assert "They were not registered yet." in page
    assert f"https://connector.test/webhooks/woocommerce/{woo_shop.shop_key}" in page
    run(parts, "update shops set contact_email = null, contact_address = null, scopes = '{}', state = 'needs_sign_in'")
    page = client.get(f"/shops/{shop_public_id(parts, shopify_shop)}").text
    assert "the reminder cannot be turned on" in page
    assert "Open the app in Shopify" in page


def test_a_shop_that_needs_no_registering_is_left_alone(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    public_id = shop_public_id(parts, shopify_shop)
    assert client.post(f"/shops/{public_id}/webhooks").status_code == 303
    assert scalar(parts, "select count(*) from audit_entries") == 0


# ---------------------------------------------------------------- states


def facts(**changes: object) -> CheckoutFacts:
    known = {
        "email": EMAIL,
        "has_lines": True,
        "is_cart": False,
        "is_converted": False,
        "is_closed": False,
        "last_activity_at": T0,
        "abandoned_at": None,
        "recovery_url": "https://x.example",
    }
    return CheckoutFacts(**(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "converted_at", "state"),
    [
        ({}, None, CheckoutState.WAITING),
        ({"abandoned_at": at(60)}, None, CheckoutState.ABANDONED),
        ({"abandoned_at": at(60), "is_converted": True}, at(61), CheckoutState.RECOVERED),
        ({"abandoned_at": at(60), "is_converted": True}, at(60), CheckoutState.PURCHASED),
        ({"abandoned_at": at(60), "is_converted": True}, None, CheckoutState.PURCHASED),
        ({"is_converted": True, "is_closed": True}, at(5), CheckoutState.PURCHASED),
        ({"is_closed": True, "email": None}, None, CheckoutState.CLOSED),
        ({"email": None, "abandoned_at": at(60)}, None, CheckoutState.NO_CONTACT),
        ({"is_cart": True}, None, CheckoutState.CART),
        ({"has_lines": False}, None, CheckoutState.EMPTIED),
    ],
)
def test_the_first_word_that_fits_is_shown(changes: dict[str, object], converted_at: datetime | None, state: CheckoutState) -> None:
    assert checkout_state(facts(**changes), converted_at) is state
