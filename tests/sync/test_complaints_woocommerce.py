"""What users of the peers complain about, told on a WooCommerce shop: mails after a purchase, and carts that never end."""

from datetime import timedelta
from typing import Any

import pytest

from connector.store import checkouts
from tests.fake_sender import FakeSender
from tests.sync.bodies import woo_cart, woo_order
from tests.sync.world import World

EMAIL = "anna@courriel.example"
TOKEN, OTHER = "0a" * 16, "0b" * 16
CART = "action.wc_connector_cart"
STAMP = [{"id": 9, "key": "_connector_cart", "value": TOKEN}]


def cart(world: World, seq: int, minutes: float, token: str = TOKEN, status: str = "open", **changes: Any) -> None:
    """The plugin's snapshot of a cart that was begun with the story comes in."""
    given = {"email": EMAIL} | changes
    world.arrive(CART, woo_cart(token, seq, world.at(minutes), created_at=world.at(0), status=status, **given))


def order(world: World, status: str, minutes: float, number: int = 4101, topic: str = "order.updated", **changes: Any) -> None:
    """An order comes in as it is at that minute."""
    given = {"email": EMAIL} | changes
    world.arrive(topic, woo_order(number, status, world.at(minutes), created_at=world.at(1), **given))


def wait_until_due(world: World) -> None:
    """An hour goes by; what was left is abandoned and its message queued."""
    world.go_to(world.at(62))
    world.abandon()


@pytest.fixture
def shop(woo: World) -> World:
    woo.turn_on()
    return woo


@pytest.mark.spec("C1")
@pytest.mark.parametrize("status", ["processing", "completed", "on-hold"])
def test_c1_an_order_between_scheduling_and_sending_stops_the_message(shop: World, sender: FakeSender, status: str) -> None:
    cart(shop, 1, 0)
    wait_until_due(shop)
    assert shop.messages() == [("queued", None)]
    order(shop, status, 61.5, meta_data=STAMP)
    assert shop.send() == 0
    assert (sender.handed, shop.messages()) == ([], [("cancelled", "purchased")])


@pytest.mark.spec("C1")
def test_c1_it_is_looked_at_again_in_the_instant_of_sending(shop: World, sender: FakeSender) -> None:
    cart(shop, 1, 0)
    wait_until_due(shop)
    shop.execute("update checkouts set converted_at = now() where shop_id = :shop")
    assert shop.send() == 0
    assert (sender.handed, shop.reasons()) == ([], ["purchased"])


@pytest.mark.spec("C2")
@pytest.mark.parametrize(
    ("by", "placed"),
    [
        ("token", {"meta_data": STAMP, "email": "work@firma.example", "customer_id": 77}),
        ("user", {"customer_id": 77, "email": "work@firma.example"}),
        ("e-mail", {"email": "ANNA@Courriel.example", "customer_id": 0}),
    ],
)
def test_c2_a_cart_ends_by_its_token_its_user_or_its_address(shop: World, sender: FakeSender, by: str, placed: dict[str, Any]) -> None:
    cart(shop, 1, 0, customer_id=77 if by == "user" else 0)
    wait_until_due(shop)
    order(shop, "processing", 61.5, created_via="checkout", **placed)
    assert shop.send() == 0
    assert (sender.handed, shop.messages()) == ([], [("cancelled", "purchased")])


@pytest.mark.spec("C2")
def test_c2_every_open_cart_of_the_buyer_ends(shop: World, sender: FakeSender) -> None:
    cart(shop, 1, 0)
    cart(shop, 1, 0.5, token=OTHER)
    wait_until_due(shop)
    order(shop, "processing", 61.5, meta_data=STAMP)
    assert shop.send() == 0
    assert set(shop.messages()) == {("cancelled", "purchased")}
    assert len(shop.messages()) == 2


@pytest.mark.spec("C3")
def test_c3_a_bank_transfer_is_bought_and_an_unpaid_order_gets_its_pay_link(shop: World, sender: FakeSender) -> None:
    order(shop, "on-hold", 2, number=4101)
    order(shop, "pending", 2, number=4102, email="ben@courriel.example", payment_url="https://boutique.test/pay/4102")
    shop.go_to(shop.at(63))
    shop.abandon()
    assert shop.send() == 1
    (sent,) = sender.handed
    assert sent.to == "ben@courriel.example"
    (row,) = shop.rows("select recovery_url from checkouts where shop_id = :shop and email_norm = 'ben@courriel.example'")
    assert row["recovery_url"] == "https://boutique.test/pay/4102"


@pytest.mark.spec("C3")
def test_c3_a_cart_that_became_an_unpaid_order_is_reminded_of_once(shop: World, sender: FakeSender) -> None:
    """The order goes on as a checkout of its own; its cart ends."""
    cart(shop, 1, 0)
    order(shop, "pending", 2, topic="order.created", meta_data=STAMP)
    cart(shop, 2, 2, status="placed", order_id=4101)
    shop.go_to(shop.at(63))
    shop.abandon()
    assert shop.send() == 1
    assert [message.to for message in sender.handed] == [EMAIL]


@pytest.mark.spec("C6")
def test_c6_what_was_bought_never_counts_as_abandoned_again(shop: World, sender: FakeSender) -> None:
    cart(shop, 1, 0)
    wait_until_due(shop)
    assert shop.send() == 1
    order(shop, "processing", 90, meta_data=STAMP)
    cart(shop, 2, 90, status="ordered", order_id=4101)
    cart(shop, 3, 91)
    shop.go_to(shop.at(90) + timedelta(days=1))
    assert (shop.abandon(), shop.send()) == (0, 0)
    assert len(sender.handed) == 1
    (row,) = shop.rows("select converted_at from checkouts where shop_id = :shop")
    assert row["converted_at"] is not None


@pytest.mark.spec("C7")
@pytest.mark.parametrize("via", ["store-api", "checkout"])
def test_c7_both_checkouts_end_a_cart_alike(shop: World, sender: FakeSender, via: str) -> None:
    cart(shop, 1, 0)
    if via == "store-api":
        order(shop, "checkout-draft", 1, created_via=via, meta_data=STAMP)
    order(shop, "processing", 2, topic="order.created", created_via=via, meta_data=STAMP)
    shop.go_to(shop.at(120))
    assert (shop.abandon(), shop.send()) == (0, 0)
    assert [row["converted_by"] for row in shop.rows("select converted_by from checkouts where shop_id = :shop")] == ["cart_token"]


@pytest.mark.spec("C23")
@pytest.mark.parametrize("topic", ["order.created", "order.updated"])
@pytest.mark.parametrize("stamped", [True, False])
def test_c23_a_draft_is_never_an_order(shop: World, topic: str, stamped: bool) -> None:
    cart(shop, 1, 0)
    order(shop, "checkout-draft", 1, topic=topic, created_via="store-api", meta_data=STAMP if stamped else [])
    assert shop.rows("select 1 from orders where shop_id = :shop") == []
    assert len(shop.rows("select 1 from checkouts where shop_id = :shop")) == (1 if stamped else 2)


@pytest.mark.spec("C64")
def test_c64_a_delivery_that_comes_several_times_acts_once(shop: World, sender: FakeSender) -> None:
    for _ in range(3):
        cart(shop, 1, 0)
    wait_until_due(shop)
    assert (shop.send(), shop.send()) == (1, 0)
    for _ in range(3):
        order(shop, "processing", 70, meta_data=STAMP)
    assert len(shop.rows("select 1 from orders where shop_id = :shop")) == 1
    assert len(shop.rows("select 1 from checkouts where shop_id = :shop")) == 1
    assert len(sender.handed) == 1


@pytest.mark.spec("C65")
@pytest.mark.parametrize("topic", ["order.updated", "customer.updated", "product.updated", "coupon.updated", CART])
def test_c65_an_error_of_the_store_s_own_is_flagged_and_never_data(shop: World, topic: str) -> None:
    said = b'{"code":"woocommerce_rest_cannot_view","message":"Sorry, you cannot view this resource.","data":{"status":401}}'
    shop.arrive(topic, said)
    assert [(row["state"], row["reason"]) for row in shop.rows("select state, reason from deliveries where shop_id = :shop")] == [
        ("quarantined", "store_error_body")
    ]
    for table in ("orders", "checkouts", "customers", "wanted_reads"):
        assert shop.rows(f"select 1 from {table} where shop_id = :shop") == []


@pytest.mark.spec("C62")
def test_c62_what_comes_late_and_out_of_order_counts_by_when_it_happened(shop: World, sender: FakeSender) -> None:
    """The order was placed before the cart's last words are delivered, an hour and a half late."""
    cart(shop, 1, 0)
    order(shop, "processing", 5, meta_data=STAMP)
    shop.go_to(shop.at(95))
    cart(shop, 2, 4, first_name="Anna")
    assert (shop.abandon(), shop.send(), sender.handed) == (0, 0, [])
    assert shop.reasons() == ["purchased"]
    (row,) = shop.rows("select last_activity_at, first_name, converted_at from checkouts where shop_id = :shop")
    assert row["last_activity_at"].replace(microsecond=0) == shop.at(0), "a name is nothing that a shopper does to the cart"
    assert (row["first_name"], row["converted_at"]) == ("Anna", shop.at(5))


@pytest.mark.spec("C5")
def test_c5_an_emptied_cart_gets_nothing(shop: World, sender: FakeSender) -> None:
    cart(shop, 1, 0)
    wait_until_due(shop)
    cart(shop, 2, 61.5, status="emptied")
    assert (shop.send(), sender.handed, shop.messages()) == (0, [], [("cancelled", "emptied")])


@pytest.mark.spec("C48")
def test_c48_who_opts_out_is_forgotten_and_gets_nothing(shop: World, sender: FakeSender) -> None:
    cart(shop, 1, 0)
    wait_until_due(shop)
    cart(shop, 2, 61.5, status="forgotten")
    assert (shop.send(), sender.handed) == (0, [])
    (row,) = shop.rows("select deleted_at from checkouts where shop_id = :shop")
    assert row["deleted_at"] is not None


@pytest.mark.spec("C49")
def test_c49_the_last_word_about_a_box_counts(shop: World, sender: FakeSender) -> None:
    def said(state: str, minute: int) -> dict[str, Any]:
        at = shop.at(minute).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"consents": [{"channel": "email", "state": state, "at": at, "wording": "Rappels par e-mail", "source": "block"}]}

    cart(shop, 1, 0, **said("subscribed", 0))
    wait_until_due(shop)
    cart(shop, 2, 0, **said("unsubscribed", 1))
    assert (shop.send(), sender.handed, shop.messages()) == (0, [], [("cancelled", "suppressed")])
    (word,) = shop.rows("select state, source from consents where shop_id = :shop")
    assert (word["state"], word["source"]) == ("unsubscribed", "checkout: Rappels par e-mail")


@pytest.mark.spec("C25")
def test_c25_a_checkout_of_nobody_gets_no_decision_and_is_gone_after_a_week(shop: World, sender: FakeSender) -> None:
    for number in range(3):
        order(shop, "checkout-draft", 1, number=7000 + number, email="", created_via="store-api")
    cart(shop, 1, 1)
    shop.go_to(shop.at(62))
    shop.abandon()
    assert len(shop.rows("select 1 from decisions where shop_id = :shop")) == 1
    for days, left in ((6, 4), (8, 1)):
        shop.go_to(shop.at(0) + timedelta(days=days))
        with shop.db.system_transaction("prune in a test") as session:
            checkouts.prune_unidentified(session, 1000)
        assert len(shop.rows("select 1 from checkouts where shop_id = :shop")) == left
