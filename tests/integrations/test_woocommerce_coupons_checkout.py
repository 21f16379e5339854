"""Codes that we issued, at both checkouts of a whole store: whose they are, until when, how often; looked at when the order is placed."""

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlencode

import pytest

from connector import clock
from connector.codes import CodeKind, DiscountCode
from connector.config import Settings
from connector.platforms import Access
from integrations.sandbox.woocommerce_actions import SESSION_COOKIE
from integrations.sandbox.woocommerce_store import Contact, Order
from integrations.sandbox.woocommerce_storeapi import nonce_of
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from integrations.transport import Transport
from integrations.woocommerce.adapter import WooCommercePlatform
from integrations.woocommerce.coupons import WooCodes
from tests.integrations.sandbox_app import Clock, PlayedApp, install_woocommerce, played, refurnish

STORE = "https://boutique.test"
LEA, OTHER = "lea@example.org", "somebody.else@example.net"
CODE = DiscountCode("MERCI-7Q2K", CodeKind.PERCENTAGE, Decimal(10))
BOTH = pytest.mark.parametrize("kind", ["block", "classic"])


@dataclass
class Counter:
    """A store, our codes in it, and a shopper at its checkout of one kind; `said` is what the checkout answered last."""

    app: PlayedApp
    codes: WooCodes
    access: Access
    clock: Clock
    kind: str = "block"
    key: str = ""
    said: str = ""

    @property
    def shop(self) -> WooCommerceTwin:
        """The store."""
        return self.app.world.woocommerce

    def issue(self, **terms: Any) -> None:
        """Our code, over REST."""
        self.codes.issue_code(self.access, replace(CODE, **terms))

    def come(self, customer_id: int = 0, email: str = LEA) -> None:
        """Somebody fills a cart, opens the checkout page and types an address."""
        self.key = self.shop.start_cart([("HUILE-500", 2)], customer_id)
        self.ask("GET", "/checkout/")
        if self.kind == "block":
            self.api("cart/update-customer", {"billing_address": {"email": email}})
        else:
            self.ajax("update_order_review", post_data=urlencode({"billing_email": email}))

    def type_code(self, code: str = CODE.code) -> None:
        """The coupon field of the page."""
        if self.kind == "block":
            self.api("cart/apply-coupon", {"code": code})
        else:
            self.ajax("apply_coupon", coupon_code=code)

    def press(self, email: str = LEA, method: str = "card") -> Order | None:
        """ "Place order", with this address in the form; the order if one was placed by that."""
        before = self.placed()
        if self.kind == "block":
            self.api("checkout", {"billing_address": {"email": email, "first_name": "Léa"}, "payment_method": method})
        else:
            fields = {"session": self.key, "email": email, "name": "Léa Fournier", "phone": "", "payment_method": method}
            self.ask("POST", "/checkout/", urlencode(fields), "application/x-www-form-urlencoded")
        (number,) = self.placed() - before or {0}
        return self.shop.store.orders.get(number)

    def placed(self) -> set[int]:
        """All orders that are more than a draft, or a declined one."""
        return {one.id for one in self.shop.store.orders.values() if one.status not in ("checkout-draft", "failed")}

    def api(self, path: str, body: Any) -> None:
        """A call of the Store API."""
        self.ask("POST", f"/wp-json/wc/store/v1/{path}", json.dumps(body), "application/json", nonce=nonce_of(self.key))

    def ajax(self, what: str, **fields: str) -> None:
        """What the classic page's script sends."""
        self.ask("POST", f"/?wc-ajax={what}", urlencode({"security": nonce_of(self.key)} | fields), "application/x-www-form-urlencoded")

    def ask(self, method: str, path: str, body: str = "", kind: str = "text/plain", **headers: str) -> None:
        """A request in the shopper's session."""
        headers |= {"cookie": f"{SESSION_COOKIE}={self.key}", "content-type": kind}
        answer = self.app.client.send("shopper", "test", method, STORE + path, headers=headers, content=body.encode() or None)
        self.said = html.unescape(answer.body.decode().replace('\\"', '"').replace("\\/", "/"))

    def took_out(self, reason: str) -> bool:
        """Whether the checkout has just said that the code is not in the cart any more; the classic one says no reason."""
        return (reason if self.kind == "block" else 'coupon "merci-7q2k" is invalid - it has now been removed from your order') in self.said

    def uses(self) -> int:
        """How often the code was used, as the store counts."""
        state = self.codes.read_code(self.access, CODE.code)
        assert state is not None
        return state.used


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """A connected store; its clock stands at this second."""
    at = Clock()
    with played(tmp_path_factory.mktemp("counter"), at) as app:
        install_woocommerce(app)
        settings = Settings.model_validate({"sandbox": True, "address_map": app.world.address_map, "extra_ca": app.world.ca_pem})
        transport = Transport(settings.address_map, settings.extra_ca, is_closed_world=True)
        codes = WooCommercePlatform(transport, settings).codes
        assert isinstance(codes, WooCodes)
        keys = {name: str(app.keys[name]) for name in ("consumer_key", "consumer_secret")}
        yield Counter(app, codes, Access(1, "boutique.test", keys), at)
        transport.close()


@pytest.fixture
def counter(running: Counter, request: pytest.FixtureRequest) -> Counter:
    """No orders and no coupons; a checkout of the kind that the test is for."""
    refurnish(running.shop.store)
    running.clock.at = clock.now().replace(microsecond=0)
    running.shop.store.coupons.behind = timedelta()
    kind: Literal["block", "classic"] = request.node.callspec.params.get("kind", "block") if hasattr(request.node, "callspec") else "block"
    running.shop.store.checkout = kind
    return replace(running, kind=kind, key="", said="")


def has_discount(order: Order | None) -> bool:
    assert order is not None
    return order.coupons == ["merci-7q2k"] and order.discount_net > 0


class TestWhoseItIs:
    """A code locked to an e-mail address."""

    @BOTH
    @pytest.mark.spec("C57")
    def test_a_code_locked_to_an_address_is_refused_to_any_other_on_both_checkouts(self, counter: Counter, kind: str) -> None:
        counter.issue(email=LEA)
        counter.come(email=OTHER)
        counter.type_code()
        words = "Please enter a valid email at checkout to" if kind == "block" else "Please enter a valid email to"
        assert f'{words} use coupon code "merci-7q2k".' in counter.said
        assert not counter.shop.store.sessions[counter.key].coupons
        # It gets into the cart with the right address, and another one stands in the form when the button is pressed.
        counter.come()
        counter.type_code()
        assert counter.shop.store.sessions[counter.key].coupons == ["merci-7q2k"]
        assert counter.press(OTHER) is None
        assert counter.took_out('"merci-7q2k" was removed from the cart. Please enter a valid email at checkout')
        assert counter.uses() == 0
        # What was taken out is out: pressing again buys at the full price.
        order = counter.press(OTHER)
        assert order is not None
        assert (has_discount(order), order.discount_net, order.contact.email) == (False, Decimal(0), OTHER)
        # Whose it is may use it, in whatever letters the address is written.
        counter.come(email="LEA@Example.org")
        counter.type_code()
        assert has_discount(counter.press("LEA@Example.org"))
        assert counter.uses() == 1

    @BOTH
    def test_an_account_may_use_what_is_locked_to_its_address_whatever_it_types(self, counter: Counter, kind: str) -> None:
        counter.issue(email=LEA)
        counter.come(counter.shop.add_customer(Contact(LEA)), email=OTHER)
        counter.type_code()
        assert has_discount(counter.press(OTHER))

    def test_before_10_3_the_block_checkout_looked_at_the_typed_address_alone(self, counter: Counter) -> None:
        counter.shop.store.version = "9.9.5"
        counter.issue(email=LEA)
        counter.come(counter.shop.add_customer(Contact(LEA)), email=OTHER)
        counter.type_code()
        assert counter.press(OTHER) is None
        assert "removed from the cart" in counter.said


class TestUntilWhen:
    """A code that ends while it lies in a cart."""

    @BOTH
    @pytest.mark.spec("C55")
    def test_a_code_that_ended_in_an_old_cart_is_refused_when_the_order_is_placed(self, counter: Counter, kind: str) -> None:
        """The WooCommerce half; Shopify's is in test_shopify_redeem_codes.py."""
        counter.issue(ends_at=counter.clock.at + timedelta(days=2))
        counter.come()
        counter.type_code()
        counter.clock.advance(days=2, seconds=1)
        assert counter.press() is None
        assert counter.took_out('The "merci-7q2k" coupon has been removed from your cart: Coupon "merci-7q2k" has expired.')
        order = counter.press()
        assert order is not None
        assert (has_discount(order), order.discount_net) == (False, Decimal(0))
        assert counter.uses() == 0

    @BOTH
    def test_opening_the_page_again_says_so_before(self, counter: Counter, kind: str) -> None:
        counter.issue(ends_at=counter.clock.at + timedelta(days=2))
        counter.come()
        counter.type_code()
        counter.clock.advance(days=3)
        counter.ask("GET", "/checkout/")
        assert counter.took_out('Coupon "merci-7q2k" has expired.')
        assert not has_discount(counter.press())

    @BOTH
    def test_one_that_we_suspended_or_its_merchant_binned_is_refused_too(self, counter: Counter, kind: str) -> None:
        counter.issue(ends_at=counter.clock.at + timedelta(days=2))
        counter.come()
        counter.type_code()
        state = counter.codes.read_code(counter.access, CODE.code)
        assert state is not None
        counter.codes.suspend_code(counter.access, state.platform_id)
        assert counter.press() is None
        assert counter.took_out("does not exist")

    @BOTH
    def test_an_order_that_was_placed_in_time_can_be_paid_later(self, counter: Counter, kind: str) -> None:
        counter.issue(ends_at=counter.clock.at + timedelta(days=2))
        counter.come()
        counter.type_code()
        order = counter.press(method="offsite")
        assert order is not None
        counter.clock.advance(days=3)
        assert counter.shop.place_order(order.id, "card") == "processing"
        assert has_discount(order)

    @BOTH
    def test_a_store_whose_clock_is_late_honours_it_until_it_is_suspended(self, counter: Counter, kind: str) -> None:
        """The second lock: ended by our clock, still honoured by the store."""
        counter.issue(ends_at=counter.clock.at + timedelta(days=2))
        counter.shop.store.coupons.behind = timedelta(hours=1)
        counter.clock.advance(days=2, minutes=5)
        counter.come()
        counter.type_code()
        assert counter.shop.store.sessions[counter.key].coupons == ["merci-7q2k"]
        state = counter.codes.read_code(counter.access, CODE.code)
        assert state is not None
        counter.codes.suspend_code(counter.access, state.platform_id)
        assert counter.press() is None
        counter.clock.advance(hours=1)
        assert not has_discount(counter.press())


class TestHowOften:
    """Limits, the minimum, and one use a person."""

    def buy(self, counter: Counter, email: str = LEA, customer_id: int = 0) -> bool:
        """Whether somebody gets the discount; a refused code is not pressed for again."""
        counter.come(customer_id, email)
        counter.type_code()
        order = counter.press(email)
        return order is not None and has_discount(order)

    @BOTH
    def test_once_by_anybody(self, counter: Counter, kind: str) -> None:
        counter.issue(usage_limit=1)
        assert self.buy(counter)
        assert not self.buy(counter, OTHER)
        assert counter.uses() == 1

    @BOTH
    def test_two_that_have_it_in_their_carts_cannot_both_use_it(self, counter: Counter, kind: str) -> None:
        counter.issue(usage_limit=1)
        counter.come()
        counter.type_code()
        waiting = counter.key
        assert self.buy(counter, OTHER)
        counter.key = waiting
        assert counter.press() is None
        assert counter.took_out("Usage limit")
        assert counter.uses() == 1

    @BOTH
    def test_once_a_guest(self, counter: Counter, kind: str) -> None:
        counter.issue(once_per_customer=True)
        assert self.buy(counter)
        counter.come()
        counter.type_code()
        assert counter.shop.store.sessions[counter.key].coupons == ["merci-7q2k"]
        assert counter.press() is None
        assert 'Usage limit for coupon "merci-7q2k" has been reached.' in counter.said
        # On the classic checkout it stays in the cart until it is taken out by hand.
        assert (counter.press() is None) == (kind == "classic")
        assert self.buy(counter, OTHER)

    @BOTH
    def test_once_an_account(self, counter: Counter, kind: str) -> None:
        counter.issue(once_per_customer=True)
        number = counter.shop.add_customer(Contact(LEA))
        assert self.buy(counter, LEA, number)
        assert not self.buy(counter, OTHER, number)

    @BOTH
    def test_only_the_block_checkout_knows_a_guest_for_the_account_of_the_same_address(self, counter: Counter, kind: str) -> None:
        counter.issue(once_per_customer=True)
        assert self.buy(counter, LEA, counter.shop.add_customer(Contact(LEA)))
        assert self.buy(counter) == (kind == "classic")

    @BOTH
    def test_a_cancelled_order_gives_the_use_back_and_a_reinstated_one_takes_it_again(self, counter: Counter, kind: str) -> None:
        counter.issue(usage_limit=1)
        assert self.buy(counter)
        (order,) = counter.shop.store.orders.values()
        counter.shop.cancel_order(order.id)
        assert counter.uses() == 0
        counter.shop.reinstate_order(order.id)
        assert counter.uses() == 1

    @BOTH
    def test_a_declined_order_is_tried_again_with_its_only_use(self, counter: Counter, kind: str) -> None:
        counter.issue(usage_limit=1, once_per_customer=True)
        counter.come()
        counter.type_code()
        assert counter.press(method="declined") is None
        assert has_discount(counter.press(method="card"))

    @BOTH
    def test_a_cart_that_fell_below_the_minimum_loses_it(self, counter: Counter, kind: str) -> None:
        counter.issue(minimum_subtotal=Decimal(30), currency="EUR")
        counter.come()
        counter.type_code()
        counter.shop.set_quantity(counter.key, "HUILE-500", 1)
        assert counter.press() is None
        assert counter.took_out("The minimum spend for coupon")

    @BOTH
    def test_what_its_merchant_limits_later_is_refused_to_a_cart_that_has_it(self, counter: Counter, kind: str) -> None:
        counter.issue()
        counter.come()
        counter.type_code()
        coupon = counter.shop.store.coupons.by_code(CODE.code)
        assert coupon is not None
        counter.shop.coupons.edit(coupon.id, email_restrictions=[OTHER])
        assert counter.press() is None
        assert counter.took_out("to use coupon code")
