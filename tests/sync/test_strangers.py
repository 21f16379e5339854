"""When another address speaks in a WooCommerce shop's name: a copy of the store, or the store after a move."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from connector.canonical import ShopProfile
from connector.platforms import Access, TransientError
from connector.store import clock, shops, strangers
from sync import listening, rereads
from tests.conftest import profile
from tests.fake_sender import FakeSender
from tests.sync.bodies import WOO_DOMAIN, gmt, woo_cart, woo_order
from tests.sync.world import World

EMAIL = "anna@courriel.example"
COPY = "staging.boutique.test"
TOKEN = "0a" * 16


@dataclass
class StoreWho:
    """The store at the shop's own address, asked who it is."""

    profile: ShopProfile = field(default_factory=lambda: profile("Boutique", WOO_DOMAIN))
    error: Exception | None = None

    def shop_now(self, access: Access) -> ShopProfile:
        if self.error is not None:
            raise self.error
        return self.profile

    def orders_of(self, access: Access, token: str | None, cart_token: str | None) -> list[Any]:
        return []

    def lines_now(self, access: Access, wanted: Any) -> list[Any]:
        return []


@pytest.fixture
def who(woo: World) -> StoreWho:
    asked = StoreWho()
    woo.services.platforms["woocommerce"].reads = asked  # type: ignore[assignment] # of Reads, what is asked here
    return asked


def stranger(world: World) -> tuple[str | None, bool]:
    """Who else spoke, and whether sending is paused for it."""
    (row,) = world.rows("select stranger_host, stranger_at from shops where id = :shop")
    return row["stranger_host"], row["stranger_at"] is not None


def from_copy(world: World, minutes: float, token: str = TOKEN) -> None:
    """A cart of the copy comes in, signed as the store itself does."""
    at = world.at(minutes)
    world.arrive("action.wc_connector_cart", woo_cart(token, 1, at, email="tester@courriel.example", home=f"https://{COPY}"))


def queued(world: World) -> None:
    """A real cart was abandoned; its message is due."""
    world.turn_on()
    world.arrive("action.wc_connector_cart", woo_cart("0b" * 16, 1, world.at(0), email=EMAIL))
    world.go_to(world.at(61))
    assert world.abandon() == 1


def reread(world: World) -> None:
    while rereads.reread(world.services, world.shop.id):
        pass


@pytest.mark.spec("C76")
def test_c76_what_a_copy_of_the_store_says_is_not_used_and_sending_pauses_until_the_store_answers(
    woo: World, sender: FakeSender, who: StoreWho
) -> None:
    queued(woo)
    from_copy(woo, 61)
    assert [row["email_norm"] for row in woo.rows("select email_norm from checkouts where shop_id = :shop")] == [EMAIL]
    assert stranger(woo) == (COPY, True)

    assert woo.send() == 0
    assert woo.reasons() == ["store_elsewhere"]
    reread(woo)
    assert stranger(woo) == (COPY, False), "the store is still itself: the other one is a copy"
    woo.go_to(woo.now() + timedelta(minutes=6))
    assert woo.send() == 1
    assert [message.to for message in sender.handed] == [EMAIL]

    from_copy(woo, 70, "0c" * 16)
    assert stranger(woo) == (COPY, False), "a copy that is known pauses nothing"
    assert len(woo.rows("select 1 from checkouts where shop_id = :shop")) == 1


@pytest.mark.spec("C76")
def test_c76_a_store_that_moved_sends_nothing_until_it_is_connected_again(woo: World, sender: FakeSender, who: StoreWho) -> None:
    queued(woo)
    who.error = TransientError("answered 301", platform="woocommerce", call="index", status=301)
    from_copy(woo, 61)
    for _ in range(4):
        reread(woo)
        woo.send()
        woo.go_to(woo.now() + timedelta(minutes=30))
    assert sender.handed == []
    assert woo.messages() == [("queued", None)]
    with woo.db.transaction(shop=woo.shop.id) as session:
        assert strangers.tell_if_stuck(session, woo.services.vault, shops.get_shop(session, woo.shop.id))
        assert not strangers.tell_if_stuck(session, woo.services.vault, shops.get_shop(session, woo.shop.id)), "they are told once"
    (notice,) = woo.rows("select cause, detail from notices")
    assert (notice["cause"], notice["detail"]) == ("suspended", COPY)


@pytest.mark.spec("C76")
def test_c76_sending_goes_on_once_a_store_that_was_away_for_long_says_who_it_is(woo: World, sender: FakeSender, who: StoreWho) -> None:
    """A reading is given up after ten tries; what is paused must not stay so for that."""
    queued(woo)
    from_copy(woo, 61)
    who.error = TransientError("no answer", platform="woocommerce", call="index")
    for _ in range(12):
        reread(woo)
        woo.go_to(woo.now() + timedelta(hours=2))
    assert stranger(woo) == (COPY, True)
    who.error = None
    reread(woo)
    listening.listen(woo.services, woo.shop.id)
    reread(woo)
    assert stranger(woo) == (COPY, False)
    assert woo.send() == 1


def test_another_name_of_the_same_store_is_learnt_and_what_came_under_it_is_used(woo: World, who: StoreWho) -> None:
    from_copy(woo, 0)
    assert woo.rows("select 1 from checkouts where shop_id = :shop") == []
    who.profile = replace(who.profile, hosts=(WOO_DOMAIN, COPY))
    reread(woo)
    assert stranger(woo) == (None, False)
    from_copy(woo, 1)
    assert len(woo.rows("select 1 from checkouts where shop_id = :shop")) == 1
    assert {row["state"] for row in woo.rows("select state from deliveries where shop_id = :shop")} == {"applied"}


def test_an_order_of_a_copy_does_not_stop_what_the_real_shop_sends(woo: World, who: StoreWho) -> None:
    queued(woo)
    links = {"self": [{"href": f"https://{COPY}/wp-json/wc/v3/orders/7"}]}
    woo.arrive("order.created", woo_order(7, "processing", woo.at(30), email=EMAIL, _links=links))
    assert woo.messages() == [("queued", None)]
    assert gmt(woo.at(30)) not in {row["placed_at"] for row in woo.rows("select placed_at from orders where shop_id = :shop")}


def test_the_owners_are_told_only_of_what_lasts(woo: World, who: StoreWho) -> None:
    from_copy(woo, 0)
    with woo.db.transaction(shop=woo.shop.id) as session:
        assert not strangers.tell_if_stuck(session, woo.services.vault, shops.get_shop(session, woo.shop.id))
    with woo.db.system_transaction("time goes by") as session:
        clock.step_to(session, clock.read(session) + timedelta(minutes=11))
    with woo.db.transaction(shop=woo.shop.id) as session:
        assert strangers.tell_if_stuck(session, woo.services.vault, shops.get_shop(session, woo.shop.id))
        session.execute(text("update shops set hosts = array['boutique.test'] where id = :id"), {"id": woo.shop.id})
        assert not strangers.settle(session, shops.get_shop(session, woo.shop.id))
    assert [row["settled_at"] is not None for row in woo.rows("select settled_at from notices")] == [True]
