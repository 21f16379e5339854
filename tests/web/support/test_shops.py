"""The page of a store and the page of a checkout, as support sees them; and what was done, as support's own audit tells it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

import pytest
from starlette.testclient import TestClient

from connector.canonical import Phone
from connector.rules.permissions import Role, StaffRole
from connector.store import members, people
from connector.store.audit import Actor
from connector.store.automations import turn_off
from connector.store.installs import note_webhooks
from connector.store.shops import get_shop
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.factories import EMAIL, make_line, make_order
from tests.web.conftest import Seed, abandon, run, scalar, shop_public_id, turn_on
from tests.web.signing import send, sign_in
from tests.web.support.conftest import REASON, Keep, Opens, give_reason, rows, seen

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7}}'


def page_of(client: TestClient, parts: Composition, shop: TestShop) -> str:
    answer = client.get(f"/support/shops/{shop_public_id(parts, shop)}")
    assert answer.status_code == 200
    return answer.text


def test_a_page_tells_how_a_store_is(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, keep: Keep, seed: Seed
) -> None:
    turn_on(parts, shopify_shop)
    run(parts, "update shops set missing_scopes = array['read_products'] where id = :id", id=shopify_shop.id)
    for state in ("applied", "applied", "quarantined", "pending"):
        keep(shopify_shop, state)
    keep(woo_shop, topic="order.created")
    seed(shopify_shop, minutes=90)
    abandon(parts, shopify_shop)
    seed(shopify_shop, minutes=70, platform_id="t2", token="t2", email="b@example.org")
    with parts.db.system_transaction("a member for a test") as session:
        shop = get_shop(session, shopify_shop.id)
        members.add(session, shop.account_id, "claire@boutique.example", Role.MARKETER)
    notice = """
        insert into notices (public_id, account_id, shop_id, cause, cause_key, at)
        select 'ntc_1', account_id, id, 'needs_sign_in', public_id, app_now() from shops where id = :id
    """
    run(parts, notice, id=shopify_shop.id)
    page = page_of(staff(StaffRole.VIEWER), parts, shopify_shop)
    text = seen(page)
    for words in (
        "Shopify · demo.myshopify.com",
        "The store no longer accepts our access.",
        "These permissions were not granted: read_products",
        "Deliveries 1 since",
        "Checkouts that are due 1",
        "Reminders queued 1 1 is due",
        "Access Held",
        "Permissions read_orders",
        "State on since",
        "Delay 1 hour",
        "marketer c•••@b•••.example",
        "applied: 2 waiting: 1 quarantined: 1",
    ):
        assert words in text, words
    assert rows(page)[1].startswith("orders/create 4 1")
    assert "Reminder e-mail turned on" in text
    for secret in ("token-of-demo", "wooOurOwn", "claire@", "bonjour@", EMAIL, "order.created", "b@example.org"):
        assert secret not in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("update shops set credentials = null, state = 'uninstalled', uninstalled_at = now()", "None is held"),
        ("update shops set credentials = '\\x00'", "Held, but it cannot be opened"),
        ("update shops set contact_email = null", "none: the reminder cannot be turned on"),
    ],
)
def test_what_is_wrong_with_a_connection_is_told(staff: Opens, parts: Composition, shopify_shop: TestShop, change: str, words: str) -> None:
    run(parts, change)
    assert words in seen(page_of(staff(), parts, shopify_shop))


def test_a_token_that_ends_says_when(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    sealed = parts.services.vault.seal({"access_token": "shpat_secret", "expires_at": "2026-11-30T12:00:00+00:00"})
    run(parts, "update shops set credentials = :sealed", sealed=sealed)
    page = page_of(staff(), parts, shopify_shop)
    assert "Held; the present one lasts until 30 Nov 2026, 13:00" in seen(page)
    assert "shpat_secret" not in page


def test_how_registering_webhooks_ended_is_told(staff: Opens, parts: Composition, woo_shop: TestShop) -> None:
    client = staff()
    before = seen(page_of(client, parts, woo_shop))
    assert "They were not registered yet." in before
    with parts.db.transaction(shop=woo_shop.id) as session:
        note_webhooks(session, get_shop(session, woo_shop.id), actor=Actor("test"), is_ready=False, words="The store said 401.")
    assert "failed The store said 401." in seen(page_of(client, parts, woo_shop))


@pytest.mark.spec("SEC-190")
def test_hostile_texts_are_shown_as_texts(staff: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed, keep: Keep) -> None:
    keep(shopify_shop, topic=HOSTILE)
    run(
        parts,
        "update shops set name = cast(:text as text), contact_email = cast(:text as text), scopes = array[cast(:text as text)]",
        text=HOSTILE,
    )
    run(parts, "update accounts set name = :text", text=HOSTILE)
    public_id = seed(
        shopify_shop,
        first_name=HOSTILE,
        number=HOSTILE,
        discount_codes=(HOSTILE,),
        lines=(make_line(title=HOSTILE, variant_title=HOSTILE, image_url=f"https://x.example/{HOSTILE}"),),
        checkout_phone=Phone(HOSTILE),
        recovery_url=f"javascript:{HOSTILE}",
    )
    client = staff(StaffRole.ADMIN)
    give_reason(client, parts, shopify_shop, HOSTILE)
    paths = (f"/support/shops/{shop_public_id(parts, shopify_shop)}", f"/support/checkouts/{public_id}", "/support/audit")
    for path in paths:
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "&lt;script&gt;" in page, path
        assert "{{7*7}}" in page, path
        assert 'href="javascript:' not in page, path


# ---------------------------------------------------------------- one checkout


def test_a_checkout_shows_what_the_merchant_sees_and_what_it_was_made_of(
    staff: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed, keep: Keep, now: Any
) -> None:
    turn_on(parts, shopify_shop)
    whole: dict[str, Any] = {"number": "#7001", "first_name": "Anna", "last_name": "Petit", "subtotal": Decimal("12.50")}
    seed(shopify_shop, minutes=95, number="#7001", lines=(make_line("101", 3),))
    public_id = seed(shopify_shop, minutes=90, **whole)
    number = keep(shopify_shop, topic="checkouts/update")
    with parts.db.transaction(shop=shopify_shop.id) as session:
        hashes = [parts.services.vault.keyed_hash("person", str(shopify_shop.id), "email", EMAIL)]
        people.save_delivery_people(session, shopify_shop.id, {number: hashes})
    abandon(parts, shopify_shop)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        turn_off(session, get_shop(session, shopify_shop.id), Actor("test"))
    seed(shopify_shop, minutes=90, order=make_order(now + timedelta(seconds=1), checkout_token="tok-1", number="#1001"), **whole)
    page = staff(reason_for=shopify_shop).get(f"/support/checkouts/{public_id}").text
    text = seen(page)
    for words in (
        f"Reason: {REASON}",
        "Checkout #7001 recovered",
        EMAIL,
        "Anna Petit",
        "Order #1001 was placed: €12.50",
        "The automation is off automation_off",
        "Abandoned: a reminder is queued enrolled",
    ):
        assert words in text, words
    assert text.index("The automation is off automation_off") < text.index("Abandoned: a reminder is queued enrolled"), "newest first"
    assert [row.rsplit(" ", 4)[1:-1] for row in rows(page) if "did " in row] == [["1", "did", "something"], ["3", "did", "something"]]
    shop = shop_public_id(parts, shopify_shop)
    assert f'href="/support/shops/{shop}/deliveries/{number}"' in page


def test_a_checkout_of_which_no_version_is_left_has_a_page(staff: Opens, parts: Composition, shopify_shop: TestShop, seed: Seed) -> None:
    public_id = seed(shopify_shop)
    run(parts, "delete from checkout_versions")
    answer = staff(reason_for=shopify_shop).get(f"/support/checkouts/{public_id}")
    assert answer.status_code == 200
    assert "The cart is empty." not in answer.text


# ---------------------------------------------------------------- the audit


def test_the_audit_is_filtered_and_leads_on(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed, client: TestClient
) -> None:
    turn_on(parts, woo_shop)
    sign_in(client, parts, shopify_shop)
    public_id = seed(shopify_shop)
    support = staff(reason_for=shopify_shop)
    support.get(f"/support/checkouts/{public_id}")
    admin = staff(StaffRole.ADMIN)
    page = admin.get("/support/audit").text
    done = rows(page)[1:]
    assert "Sam support Support looked at personal data Démo" in done[0]
    assert public_id in done[0]
    assert REASON in done[0]
    assert "req_" in done[0]
    assert any("test Reminder e-mail turned on Boutique" in row for row in done)
    shop = shop_public_id(parts, woo_shop)
    assert [("Boutique" in row) for row in rows(admin.get("/support/audit", params={"shop": shop}).text)[1:]] == [True]
    assert len(rows(admin.get("/support/audit", params={"action": "support."}).text)) == 3
    who = scalar(parts, "select actor from audit_entries where action = 'support.viewed'")
    assert len(rows(admin.get("/support/audit", params={"actor": who, "action": "support."}).text)) == 3
    assert "No entry fits" in admin.get("/support/audit", params={"actor": "staff stf_nobody"}).text
    assert len(rows(admin.get("/support/audit", params={"action": "'; drop"}).text)) == len(done) + 1
    for nonsense in ({"shop": "x"}, {"shop": "shp_0198c5f2-0000-7000-8000-000000000000"}, {"before": "x"}):
        assert admin.get("/support/audit", params=nonsense).status_code == 404


def test_the_audit_goes_on_page_by_page(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    many = "select 'system', 'shop.connected', 'n' || n, now() from generate_series(1, 120) n"
    run(parts, f"insert into audit_entries (actor, action, object, at) {many}")
    admin = staff(StaffRole.ADMIN)
    seen_objects: list[str] = []
    path = "/support/audit?action=shop."
    while path:
        page = admin.get(path).text
        seen_objects += [row.split()[-1] for row in rows(page)[1:]]
        found = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0] if 'rel="next"' in page else ""
        path = found.replace("&amp;", "&")
    assert seen_objects == [f"n{number}" for number in range(120, 0, -1)]


@pytest.mark.spec("SEC-184")
def test_a_members_own_pages_name_nothing_of_other_accounts(
    client: TestClient, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop, seed: Seed
) -> None:
    """Search, export, errors and figures, as an owner of one account sees them, beside an account that has everything."""
    sign_in(client, parts, shopify_shop)
    turn_on(parts, woo_shop)
    foreign = seed(woo_shop, number="W-77", email="secret@other.example", first_name="Zoé")
    here, there = shop_public_id(parts, shopify_shop), shop_public_id(parts, woo_shop)
    answers: list[Any] = [
        client.get("/app"),
        client.get(f"/app/shops/{here}/checkouts", params={"q": "secret@other.example"}),
        client.get(f"/app/shops/{here}/checkouts", params={"before": foreign}),
        client.get(f"/app/shops/{here}/checkouts.csv"),
        client.get(f"/app/shops/{there}/checkouts.csv"),
        client.get(f"/app/shops/{there}"),
        client.get(f"/app/checkouts/{foreign}"),
        client.get("/app/audit"),
        client.get("/support", params={"q": "Boutique"}),
        client.get("/status"),
        client.get("/metrics"),
        client.get("/no-such-page/Boutique"),
        send(client, parts, "/support", q="secret@other.example"),
    ]
    for answer in answers:
        said = unquote_plus(str(answer.request.url))  # what one asks with is no news
        for word in ("Boutique", "boutique.test", "secret@other", "Zoé", "W-77", foreign, there):
            assert word in said or word not in answer.text, (said, word)


def test_what_the_store_keeps_from_us_and_what_could_not_be_read_is_shown(
    staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop
) -> None:
    client = staff(StaffRole.VIEWER)
    assert "Could not be read again" not in seen(page_of(client, parts, shopify_shop))
    run(parts, "update shops set withheld = '{order.email}'")
    for platform_id, reason in (("7340", "not_permitted"), ("7341", "no_answer"), ("7342", "odd"), ("7343", None)):
        wish = """
            insert into wanted_reads (shop_id, resource, platform_id, wanted_at, due_at, reason)
            values (:id, 'customer', :one, app_now(), app_now(), :reason)
        """
        run(parts, wish, id=shopify_shop.id, one=platform_id, reason=reason)
    text = seen(page_of(client, parts, shopify_shop))
    assert "Shopify does not give this app: e-mail addresses." in text
    for words in (
        "customer 7340 the store does not permit it",
        "customer 7341 the store did not answer, ten times",
        "customer 7342 what came made no sense",
    ):
        assert words in text
    assert "7343" not in text, "it is only waiting"
    assert "7340" not in seen(page_of(client, parts, woo_shop))
