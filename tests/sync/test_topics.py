"""What each topic beside checkouts, orders and customers does to a shop's rows."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from connector.canonical import Variant
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.store import codes, products
from sync import apply, rereads
from sync.news import STOCK_DELAY_SECONDS
from tests.factories import make_product
from tests.fake_sender import FakeSender
from tests.statements import before_statements
from tests.sync.bodies import dump, shopify_checkout, shopify_customer, shopify_order, shopify_removed, template
from tests.sync.telling import (
    EMAIL_TOPIC,
    consent_body,
    discount_body,
    merge_body,
    number_body,
    product_body,
    scopes_body,
    stock_body,
    variant_body,
)
from tests.sync.world import Arrival, World, keep

ANNA = 7340000000011
EMAIL = "anna.petit@example.org"
PHONE = "+33645678901"


def wanted_reads(world: World) -> list[tuple[str, str]]:
    """What is to be read again."""
    rows = world.rows("select resource, platform_id from wanted_reads where shop_id = :shop order by 1, 2")
    return [(row["resource"], row["platform_id"]) for row in rows]


def consents(world: World) -> list[tuple[str, str, str]]:
    """(channel, address, state) of all consents."""
    rows = world.rows("select channel, address, state from consents where shop_id = :shop order by 1, 2")
    return [(row["channel"], row["address"], row["state"]) for row in rows]


def know(world: World, number: int, **changes: Any) -> None:
    """A product that was read before."""
    with world.db.transaction(shop=world.shop.id) as session:
        products.save_products(session, world.shop.id, [make_product(world.start, platform_id=str(number), **changes)], world.start)


@pytest.fixture
def rung(world: World) -> list[str]:
    """The jobs that are rung for."""
    jobs: list[str] = []
    world.db.on_wake(lambda wake: jobs.append(wake.job))
    return jobs


class TestConsents:
    @pytest.mark.parametrize(
        ("topic", "body", "expected"),
        [
            (EMAIL_TOPIC, lambda at: consent_body(ANNA, EMAIL.title(), "UNSUBSCRIBED", at), ("email", EMAIL, "unsubscribed")),
            (
                "customers_marketing_consent/update",
                lambda at: number_body("sms", ANNA, PHONE, "subscribed", at),
                ("sms", PHONE, "subscribed"),
            ),
            (
                "customers_whats_app_marketing_consent/update",
                lambda at: number_body("whats_app", ANNA, PHONE, "PENDING", at),
                ("whatsapp", PHONE, "pending"),
            ),
        ],
    )
    def test_each_channel_is_kept_by_its_address(
        self, world: World, topic: str, body: Callable[[datetime], bytes], expected: tuple[str, str, str]
    ) -> None:
        world.arrive(topic, body(world.start), world.start)

        assert consents(world) == [expected]
        assert wanted_reads(world) == []

    def test_who_unsubscribes_gets_no_reminder(self, world: World, sender: FakeSender) -> None:
        world.turn_on()
        world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
        world.arrive(EMAIL_TOPIC, consent_body(ANNA, EMAIL, "unsubscribed", world.at(1)), world.at(1))
        world.go_to(world.at(61))
        world.abandon()
        world.send()

        assert sender.recipients == []

    @pytest.mark.parametrize(("state", "address"), [(None, EMAIL), ("not_subscribed", None), ("subscribed", None)])
    def test_what_is_absent_takes_nothing_back_and_has_the_customer_read(
        self, world: World, rung: list[str], state: str | None, address: str | None
    ) -> None:
        world.arrive(EMAIL_TOPIC, consent_body(ANNA, EMAIL, "subscribed", world.start), world.start)
        world.arrive(EMAIL_TOPIC, consent_body(ANNA, address or "", state, world.at(5)), world.at(5))

        assert consents(world) == [("email", EMAIL, "subscribed")]
        assert wanted_reads(world) == [("customer", str(ANNA))]
        assert "reread_records" in rung

    def test_never_asked_is_no_word_against_a_yes_or_a_no(self, world: World) -> None:
        world.arrive(EMAIL_TOPIC, consent_body(ANNA, EMAIL, "unsubscribed", world.start), world.start)
        world.arrive(EMAIL_TOPIC, consent_body(ANNA, EMAIL, "not_subscribed", world.at(5)), world.at(5))

        assert consents(world) == [("email", EMAIL, "unsubscribed")]

    def test_its_delivery_is_found_when_the_person_is_to_be_erased(self, world: World) -> None:
        world.arrive(EMAIL_TOPIC, consent_body(ANNA, EMAIL, "subscribed", world.start), world.start)

        assert len(world.rows("select 1 from delivery_people where shop_id = :shop")) == 2


class TestProducts:
    @pytest.mark.parametrize(
        ("topic", "body"),
        [
            ("products/create", product_body),
            ("products/update", product_body),
            ("variants/in_stock", variant_body),
            ("variants/out_of_stock", variant_body),
        ],
    )
    def test_a_known_one_that_changed_is_read_again_and_others_are_not(
        self, world: World, rung: list[str], topic: str, body: Callable[[int], bytes]
    ) -> None:
        know(world, 1010)
        world.arrive(topic, body(9999), world.start)
        assert (wanted_reads(world), rung) == ([], [])

        world.arrive(topic, body(1010), world.start)
        assert (wanted_reads(world), rung) == ([("product", "1010")], ["reread_records"])

    def test_a_deleted_one_is_gone_at_once_and_not_read_again(self, world: World) -> None:
        know(world, 1010)
        world.arrive("products/delete", shopify_removed(1010), world.at(1))
        world.arrive("products/update", product_body(1010), world.at(2))

        assert world.one("products")["is_deleted"] is True
        assert wanted_reads(world) == []

    def test_moved_stock_has_the_product_read_after_a_while_once_for_many_moves(self, world: World) -> None:
        know(world, 1010, variants=(Variant("101", inventory_item_id="901"), Variant("102", inventory_item_id="902")))
        for item in (901, 902, 901, 903):
            world.arrive("inventory_levels/update", stock_body(item), world.start)

        assert wanted_reads(world) == [("product", "1010")]
        assert rereads.reread(world.services, world.shop.id) == 0
        (row,) = world.rows("select extract(epoch from due_at - wanted_at)::float seconds from wanted_reads")
        assert STOCK_DELAY_SECONDS - 5 < row["seconds"] <= STOCK_DELAY_SECONDS


class TestDiscounts:
    @pytest.mark.parametrize(
        ("topic", "code"),
        [
            ("discounts/create", None),
            ("discounts/update", None),
            ("discounts/redeemcode_added", "MERCI-7Q2K"),
            ("discounts/redeemcode_removed", "MERCI-7Q2K"),
        ],
    )
    def test_one_that_changed_is_looked_up_since_no_code_is_told(self, world: World, topic: str, code: str | None) -> None:
        for _ in range(3):
            world.arrive(topic, discount_body(15, code=code), world.start)

        assert wanted_reads(world) == [("discount_code", "15")]

    def test_a_deleted_one_takes_its_codes_with_it(self, world: World) -> None:
        states = [CodeState(n, world.start, code, CodeKind.PERCENTAGE, CodeStatus.ACTIVE) for n, code in (("15", "MERCI"), ("16", "AUTRE"))]
        with world.db.transaction(shop=world.shop.id) as session:
            codes.save_codes(session, world.shop.id, states, world.start)
        world.arrive("discounts/delete", discount_body(15, deleted_at=world.at(1)), world.at(1))

        rows = world.rows("select code, deleted_at from discount_codes order by code")
        assert [(row["code"], row["deleted_at"]) for row in rows] == [("AUTRE", None), ("MERCI", world.at(1))]


class TestTheShop:
    def scopes(self, world: World) -> tuple[list[str], list[str]]:
        """Those given and those missing."""
        (row,) = world.rows("select scopes, missing_scopes from shops where id = :shop")
        return row["scopes"], row["missing_scopes"]

    @pytest.mark.parametrize("turn", [1, -1])
    def test_the_newest_word_on_scopes_counts_in_any_order(self, world: World, turn: int) -> None:
        wanted = world.services.settings.shopify_scopes.split(",")
        told = [(world.at(1), ["read_orders"]), (world.at(2), [scope for scope in wanted if scope != "read_customers"])]
        for at, current in told[::turn]:
            world.arrive("app/scopes_update", scopes_body(*current), at)

        given, missing = self.scopes(world)
        assert missing == ["read_customers"]
        assert set(given) >= set(wanted) - {"read_customers"}

    def test_a_word_from_before_the_install_changes_nothing(self, world: World) -> None:
        before = self.scopes(world)
        world.arrive("app/scopes_update", scopes_body("read_products"), world.at(-600))

        assert self.scopes(world) == before

    def test_a_shop_that_changed_is_read_again(self, world: World) -> None:
        world.arrive("shop/update", dump(template("shopify", "shop_update__renamed")), world.start)

        assert wanted_reads(world) == [("shop", "shop")]


class TestOrders:
    def test_an_order_stops_the_reminder_before_it_is_paid(self, world: World) -> None:
        world.turn_on()
        world.arrive("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL))
        world.go_to(world.at(61))
        world.abandon()
        world.arrive("orders/create", shopify_order(1, world.at(61), checkout_token="tok-1", financial_status="pending"))

        assert world.messages() == [("cancelled", "purchased")]

    def test_a_withheld_address_leaves_what_is_known_of_the_customer(self, world: World) -> None:
        world.arrive("customers/update", dump(shopify_customer(ANNA, world.start, email=EMAIL)))
        body = shopify_order(1, world.at(1), email=None, customer={"id": ANNA})
        world.arrive("orders/create", body)

        assert world.one("orders")["customer_platform_id"] == str(ANNA)
        assert world.one("customers")["email"] == EMAIL


@pytest.mark.spec("C67")
def test_c67_concurrent_twins_take_effect_once(world: World, sender: FakeSender) -> None:
    """Two subscriptions deliver every change twice, at the same instant, and two workers apply them at once."""
    world.turn_on()
    told = [
        Arrival("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL, buyer_accepts_marketing=True), world.start),
        Arrival("customers/merge", merge_body(ANNA, ANNA + 1), world.start),
        Arrival(EMAIL_TOPIC, consent_body(ANNA, EMAIL, "subscribed", world.start), world.start),
        Arrival("orders/create", shopify_order(1, world.start, email="other@example.org"), world.start),
        Arrival("discounts/update", discount_body(15), world.start),
    ]
    keep(world.db, world.shop, [twin for arrival in told for twin in (arrival, arrival)])
    workers = [threading.Thread(target=apply.drain, args=(world.services, world.shop.id)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    apply.drain(world.services, world.shop.id)
    world.go_to(world.at(61))
    world.abandon()
    world.send()

    assert [row["state"] for row in world.rows("select state from deliveries where shop_id = :shop")] == ["applied"] * 10
    counts = [len(world.rows(f"select 1 from {table} where shop_id = :shop")) for table in ("checkouts", "orders", "customer_merges")]
    assert counts == [1, 1, 1]
    assert wanted_reads(world) == [("customer", str(ANNA + 1)), ("discount_code", "15")]
    assert sender.recipients == [EMAIL]


def test_c74_what_becomes_of_a_checkout_is_told_by_its_own_topics_alone(world: World) -> None:
    """There is no topic "abandoned": creation and updates start the clock, and completion stops it."""
    world.turn_on()
    world.arrive("checkouts/create", shopify_checkout("tok-1", world.start, email=EMAIL), world.start)
    world.arrive("checkouts/create", shopify_checkout("tok-2", world.start, email="ben@example.org"), world.start)
    world.arrive("checkouts/update", shopify_checkout("tok-2", world.at(3), email="ben@example.org", completed_at=world.at(3).isoformat()))
    world.go_to(world.at(61))
    world.abandon()

    rows = world.rows("select token, abandoned_at from checkouts where shop_id = :shop order by token")
    assert [(row["token"], row["abandoned_at"] is not None) for row in rows] == [("tok-1", True), ("tok-2", False)]


def test_what_news_there_may_be_costs_a_batch_without_any_not_one_statement(world: World) -> None:
    told = [
        Arrival("checkouts/update", shopify_checkout("tok-1", world.start, email=EMAIL, customer=shopify_customer(ANNA, world.start))),
        Arrival("orders/create", shopify_order(1, world.start, email=EMAIL, customer=shopify_customer(ANNA, world.start))),
        Arrival("customers/update", dump(shopify_customer(ANNA, world.start, email=EMAIL))),
    ]
    keep(world.db, world.shop, told)
    asked: list[str] = []
    with before_statements(asked.append):
        assert apply.drain(world.services, world.shop.id) == 3

    assert len(asked) > 10
    of_news = (
        "wanted_reads",
        "customer_merges",
        "from discount_codes",
        "into discount_codes",
        "update discount_codes",
        "product_variants",
        "update shops",
    )
    assert [statement for statement in asked if any(word in statement for word in of_news)] == []
