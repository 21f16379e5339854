"""The page of one checkout: its timeline, the decision, products, messages."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from connector.canonical import Phone, Product, Variant
from connector.store import products
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.factories import T0, make_line, make_order
from tests.store.writing import Writer
from tests.web.conftest import Seed, abandon, browser, run, scalar, turn_on
from tests.web.merchant.conftest import plain, row_of
from tests.web.signing import sign_in

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}${7*7}'


def events(page: str) -> list[str]:
    """The timeline as people read it, without the instants."""
    found = re.findall(r"<li[^>]*>(.*?)</li>", page[page.index('class="timeline"') : page.index("</ol>")], re.DOTALL)
    return [plain(item.partition("<time")[0]) for item in found]


def test_the_page_of_a_checkout_tells_everything_by_time(
    parts: Composition, shopify_shop: TestShop, seed: Seed, now: datetime, make_parts: Callable[..., Composition]
) -> None:
    turn_on(parts, shopify_shop)
    lines = (
        make_line("101", 2, variant_title="Bleu"),
        make_line("102", image_url="http://plain.example/a.jpg"),
        make_line("103", image_url=None),
    )
    extra = {"customer_id": "7340", "phone": Phone("06 45 67 89 01", "+33645678901"), "subtotal": Decimal("37.5"), "accepts_email": True}
    begun = now - timedelta(minutes=95)
    whole = {"lines": lines, "first_name": "Anna", "last_name": "Petit", "number": "#77", "created_at": begun, **extra}
    seed(shopify_shop, minutes=95, number="#77", language="fr")
    public_id = seed(shopify_shop, minutes=90, **whole)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        variant = Variant("101", image_url="https://cdn.example/variant.jpg")
        products.save_products(session, shopify_shop.id, [Product("p101", T0, "Bougie", variants=(variant,))], T0)
    abandon(parts, shopify_shop)
    run(parts, "update messages set state = 'sent', handed_over_at = app_now(), clicked_at = app_now(), detail = '250 ok'")
    later = now + timedelta(minutes=1)
    seed(shopify_shop, order=make_order(later, checkout_token="tok-1", number="1001", total=Decimal(40)), minutes=90, **whole)
    there = make_parts(browser_map={"https://cdn.example": "http://127.0.0.1:9001"})
    with browser(there) as client:
        sign_in(client, there, shopify_shop)
        page = client.get(f"/app/checkouts/{public_id}").text
    assert events(page)[:3] == [
        "The checkout was started",
        "The shopper changed something · 4 pieces in the cart",
        "It counts as abandoned",
    ]
    assert "A reminder was queued · anna.petit@example.org" in events(page)
    assert "Decision: Abandoned: a reminder is queued" in events(page)
    assert events(page)[-3:] == [
        "The reminder was sent · anna.petit@example.org",
        "The shopper opened the link in the reminder",
        "Order 1001 was placed: €40.00 · Known by the checkout’s token",
    ]
    goods = plain(page[page.index('class="goods"') : page.index("</ul>", page.index('class="goods"'))])
    assert "Bougie 101 Bleu 2 × €12.50 €25.00" in goods
    assert '<img src="http://127.0.0.1:9001/variant.jpg"' in page
    assert "plain.example" not in page
    assert 'href="https://demo.example/recover/tok-1"' in page
    for words in ("recovered", "Anna Petit", "06 45 67 89 01", "€37.50", "250 ok"):
        assert words in page
    assert "sent" in row_of(page, "anna.petit@example.org")


def test_what_the_platform_repeats_is_no_activity(client: TestClient, shopify_shop: TestShop, seed: Seed, here: str) -> None:
    seed(shopify_shop, minutes=30)
    public_id = seed(shopify_shop, minutes=20)
    assert events(client.get(f"/app/checkouts/{public_id}").text) == ["The checkout was started"]


def test_the_current_decision_stands_on_top_with_its_instant(
    client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed, here: str
) -> None:
    turn_on(parts, shopify_shop)
    public_id = seed(shopify_shop, minutes=90)
    lead = re.compile(r'<p class="lead">(.*?)</p>', re.DOTALL)
    found = lead.search(client.get(f"/app/checkouts/{public_id}").text)
    assert found is not None
    assert plain(found[1]) == "The shopper may still finish: the delay has not passed (as of now)"
    abandon(parts, shopify_shop)
    found = lead.search(client.get(f"/app/checkouts/{public_id}").text)
    assert found is not None
    assert re.fullmatch(r"Abandoned: a reminder is queued \( \d+ \w+ \d{4}, [\d:]+ CES?T \)", plain(found[1]))


def test_the_page_of_a_bare_checkout_renders_too(client: TestClient, shopify_shop: TestShop, seed: Seed, here: str) -> None:
    public_id = seed(shopify_shop, email=None, lines=(), recovery_url=None)
    page = client.get(f"/app/checkouts/{public_id}").text
    for words in ("The cart is empty.", "as of now", "The store gave no link back to this checkout."):
        assert words in page
    assert "<h2>Messages</h2>" not in page


def test_how_a_checkout_ended_in_the_store_is_part_of_its_life(client: TestClient, write: Writer, parts: Composition, here: str) -> None:
    ends = {name: T0 + timedelta(hours=n) for n, name in enumerate(("completed_at", "closed_at", "deleted_at"), 1)}
    write.checkout(stage="cart", **ends)
    public_id = scalar(parts, "select public_id from checkouts")
    assert events(client.get(f"/app/checkouts/{public_id}").text) == [
        "The cart was started",
        "The store says: completed",
        "The store closed the checkout",
        "The store deleted the checkout",
    ]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://plain.example/x", "data:text/html,x", "//evil.example", ""])
def test_a_link_back_that_is_no_https_address_is_not_shown(
    url: str, client: TestClient, write: Writer, parts: Composition, here: str
) -> None:
    write.checkout(recovery_url=url)
    page = client.get(f"/app/checkouts/{scalar(parts, 'select public_id from checkouts')}").text
    assert "Open the cart as the shopper" not in page


@pytest.mark.spec("SEC-180")
def test_checkouts_of_others_and_of_nobody_are_not_there(
    client: TestClient, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed, me: str
) -> None:
    mine, foreign = seed(shopify_shop), seed(woo_shop)
    assert client.get(f"/app/checkouts/{mine}").status_code == 200
    for name in (foreign, "chk_0198c5f2-0000-7000-8000-000000000000", "1", "%00"):
        assert client.get(f"/app/checkouts/{name}").status_code == 404


@pytest.mark.spec("SEC-190")
def test_hostile_texts_are_shown_as_texts(client: TestClient, parts: Composition, shopify_shop: TestShop, seed: Seed, here: str) -> None:
    turn_on(parts, shopify_shop)
    run(parts, "update shops set name = :name", name=HOSTILE)
    run(parts, "update automations set extra_text = :text", text=HOSTILE)
    public_id = seed(
        shopify_shop,
        minutes=90,
        first_name=HOSTILE,
        discount_codes=(HOSTILE,),
        number=HOSTILE,
        shipping_method=HOSTILE,
        lines=(make_line(title=HOSTILE, variant_title=HOSTILE, image_url=f"https://x.example/{HOSTILE}"),),
        checkout_phone=Phone(HOSTILE),
    )
    abandon(parts, shopify_shop)
    paths = ("", "/checkouts", "/automation", "/automation/off", "/preview", "/preview/mail")
    for path in ("/app", f"/app/checkouts/{public_id}", *(here + path for path in paths)):
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "&lt;script&gt;" in page, path
        assert "{{7*7}}${7*7}" in page, path
