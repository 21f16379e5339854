"""A store at this moment: one record, the orders of a checkout, what can be bought; and which deliveries a change must have caused."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from connector.canonical import Channel, Checkout, Consent, ConsentState, Customer, Order, PaymentState, Product, Resource
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.platforms import Access, Gone, NotPermitted, Rejected, ShopClosed, TransientError
from connector.reading import Change, LineNow
from integrations.sandbox.shopify_graphql import answer
from integrations.shopify import queries
from integrations.shopify.events import TOPICS
from integrations.shopify.reading import MOST_LINES
from tests.integrations.graph_kit import SCOPES, START
from tests.integrations.reads_kit import ACCESS, Store

HOUR = timedelta(hours=1)
INACTIVE = {"data": None, "errors": [{"message": "Shop is inactive", "extensions": {"code": "SHOP_INACTIVE"}}]}


@pytest.fixture
def store() -> Store:
    """A shop with its catalogue, in which nobody has bought anything yet."""
    return Store()


def data(**found: object) -> httpx2.Response:
    """An answer with this data."""
    return httpx2.Response(200, json={"data": found})


def withheld(**found: object) -> httpx2.Response:
    """The same, and something is kept from us."""
    path = next(iter(found))
    return httpx2.Response(200, json={"data": found, "errors": [{"message": "This app is not approved", "path": [path]}]})


class TestOneRecord:
    def test_each_kind_is_read_by_its_number(self, store: Store) -> None:
        order = store.twin.buy(quantity=3)
        customer = order.checkout.customer
        product, _ = store.twin.shop.find_variant("CEDAR-L")
        assert customer is not None
        for what, number, kind in (
            (Resource.ORDER, order.id, Order),
            (Resource.CUSTOMER, customer.id, Customer),
            (Resource.PRODUCT, product.id, Product),
            (Resource.CHECKOUT, order.checkout.number, Checkout),
        ):
            store.rest()
            found = store.reads.record_now(ACCESS, what, str(number))
            assert isinstance(found, kind)
            assert found.platform_id == str(number)

    @pytest.mark.parametrize("what", [Resource.CUSTOMER, Resource.PRODUCT, Resource.CHECKOUT, Resource.DISCOUNT_CODE])
    @pytest.mark.parametrize("number", ["999", "0"])
    def test_one_that_is_gone_is_none(self, store: Store, what: Resource, number: str) -> None:
        assert store.reads.record_now(ACCESS, what, number) is None

    def test_an_order_that_is_not_shown_may_only_be_older_than_what_we_may_read(self, store: Store) -> None:
        with pytest.raises(NotPermitted):
            store.reads.record_now(ACCESS, Resource.ORDER, "999")
        knowing = Access(7, ACCESS.domain, {**ACCESS.credentials, "scope": "read_all_orders,read_orders"})
        assert store.reads.record_now(knowing, Resource.ORDER, "999") is None

    @pytest.mark.parametrize(
        ("what", "root"),
        [(Resource.ORDER, "order"), (Resource.CUSTOMER, "customer"), (Resource.CHECKOUT, "node"), (Resource.PRODUCT, "nodes")],
    )
    def test_one_that_is_withheld_is_not_gone(self, store: Store, what: Resource, root: str) -> None:
        store.answers.append(withheld(**{root: [None] if root == "nodes" else None}))
        with pytest.raises(NotPermitted):
            store.reads.record_now(ACCESS, what, "42")

    @pytest.mark.parametrize(("what", "scope"), [(Resource.PRODUCT, "read_products"), (Resource.CHECKOUT, "read_orders")])
    def test_nor_is_one_for_which_a_scope_was_taken_away(self, store: Store, what: Resource, scope: str) -> None:
        store.scopes = tuple(one for one in SCOPES if one != scope)
        with pytest.raises(NotPermitted):
            store.reads.record_now(ACCESS, what, "42")
        store.scopes = (*store.scopes, scope.replace("read_", "write_"))
        assert store.reads.record_now(ACCESS, what, "42") is None

    @pytest.mark.parametrize(
        ("what", "answer"),
        [
            (Resource.ORDER, {}),
            (Resource.ORDER, {"order": {}}),
            (Resource.CUSTOMER, {"node": None}),
            (Resource.CHECKOUT, {"node": {}}),
            (Resource.PRODUCT, {"nodes": []}),
        ],
    )
    def test_another_answer_is_not_gone_either(self, store: Store, what: Resource, answer: dict[str, object]) -> None:
        store.answers.append(data(**answer))
        with pytest.raises(TransientError):
            store.reads.record_now(ACCESS, what, "42")

    def test_what_cannot_be_asked_this_way_is_rejected_and_not_gone(self, store: Store) -> None:
        for what, name in ((Resource.CHECKOUT, "9f2c61d07be34d5a8c1e0f73b6a4d219"), (Resource.SHOP, "shop")):
            with pytest.raises(Rejected):
                store.reads.record_now(ACCESS, what, name)
        assert store.requests == []

    def test_what_can_be_no_number_of_shopifys_is_gone_without_a_call(self, store: Store) -> None:
        assert [store.reads.record_now(ACCESS, what, '42") { x }') for what in (Resource.CUSTOMER, Resource.PRODUCT)] == [None, None]
        assert all("42" not in str(asked) for asked in store.asked)

    def test_the_shop_itself(self, store: Store) -> None:
        found = store.reads.shop_now(ACCESS)
        assert (found.name, found.currency, found.timezone) == ("Harbour & Pine", "USD", "America/New_York")

    @pytest.mark.parametrize("has_password", [True, False])
    def test_a_shop_behind_a_password_is_not_open(self, store: Store, has_password: bool) -> None:
        store.twin.shop.has_password = has_password
        assert store.reads.shop_now(ACCESS).is_open is not has_password

    @pytest.mark.parametrize("code", ["ACCESS_DENIED", "undefinedField"])
    def test_where_the_online_store_is_withheld_nobody_knows_whether_it_is_open(self, store: Store, code: str) -> None:
        shop = httpx2.Response(200, json=answer(store.twin.shop, store.scopes, queries.SHOP, {}))
        withheld = {"data": None, "errors": [{"message": "Access denied for onlineStore field.", "extensions": {"code": code}}]}
        store.answers += [shop, httpx2.Response(200, json=withheld)]
        found = store.reads.shop_now(ACCESS)
        assert (found.name, found.is_open) == ("Harbour & Pine", None)

    @pytest.mark.parametrize("before", [0, 1])
    @pytest.mark.parametrize(("status", "body"), [(402, {"errors": "Unavailable Shop"}), (423, {}), (200, INACTIVE)])
    def test_a_frozen_shop_is_closed(self, store: Store, before: int, status: int, body: dict[str, Any]) -> None:
        shop = [httpx2.Response(200, json=answer(store.twin.shop, store.scopes, queries.SHOP, {}))]
        store.answers += [*shop[:before], httpx2.Response(status, json=body)]
        with pytest.raises(ShopClosed):
            store.reads.shop_now(ACCESS)


class TestOrdersOfACheckout:
    def test_are_found_by_its_token_or_else_by_its_carts(self, store: Store) -> None:
        order, other = store.twin.buy(), store.twin.buy()
        token, cart = order.checkout.token, order.checkout.cart_token
        for asked in ((token, None), (token, cart), ("unknown", cart), (None, cart), (token, other.checkout.cart_token)):
            store.rest()
            assert [one.platform_id for one in store.reads.orders_of(ACCESS, *asked)] == [str(order.id)]

    def test_are_none_where_nobody_bought(self, store: Store) -> None:
        store.twin.buy()
        assert store.reads.orders_of(ACCESS, "unknown", "unknown too") == []
        assert store.reads.orders_of(ACCESS, None, None) == store.reads.orders_of(ACCESS, "", " ") == []

    def test_a_filter_that_shopify_leaves_out_does_not_make_everybody_a_buyer(self, store: Store) -> None:
        store.twin.buy()
        unfiltered = store.twin.ask(queries.ORDERS_OF, query="")
        assert len(unfiltered["data"]["orders"]["nodes"]) == 1
        store.answers.append(httpx2.Response(200, json=unfiltered))
        assert store.reads.orders_of(ACCESS, "9f2c61d0", None) == []
        assert store.asked == [{"query": "checkout_token:9f2c61d0"}]

    @pytest.mark.parametrize("token", ['a" OR name:*', "a b", "a) OR (b", "a'b", "a\\b", "MDAwMDAwMDA+/=="])
    def test_a_strange_token_stays_one_value(self, store: Store, token: str) -> None:
        store.twin.buy()
        assert store.reads.orders_of(ACCESS, None, token) == []
        (asked,) = store.asked
        words = str(asked["query"])
        assert words.startswith('cart_token:"')
        assert words.endswith('"')
        inside = words[len('cart_token:"') : -1]
        assert '"' not in inside.replace('\\"', "").replace("\\\\", "")

    @pytest.mark.parametrize("odd", [{}, {"orders": {}}, {"orders": None}, {"orders": {"nodes": []}}, {"other": {"nodes": []}}])
    def test_another_answer_is_not_none(self, store: Store, odd: dict[str, object]) -> None:
        store.answers.append(data(**odd))
        with pytest.raises(TransientError):
            store.reads.orders_of(ACCESS, "9f2c61d0", None)

    def test_nor_is_a_list_that_is_withheld(self, store: Store) -> None:
        store.answers.append(withheld(orders={"nodes": [], "pageInfo": {"hasNextPage": False}}))
        with pytest.raises(NotPermitted):
            store.reads.orders_of(ACCESS, "9f2c61d0", None)

    def test_a_shop_that_is_unknown_now_is_gone(self, store: Store) -> None:
        store.answers.append(httpx2.Response(404, json={"errors": "Not Found"}))
        with pytest.raises(Gone):
            store.reads.orders_of(ACCESS, "9f2c61d0", None)


class TestLines:
    def line(self, store: Store, sku: str) -> tuple[str, str]:
        """The ids of a product and its variant."""
        product, variant = store.twin.shop.find_variant(sku)
        return str(product.id), str(variant.id)

    def test_each_is_as_it_is_now_in_the_order_asked(self, store: Store) -> None:
        large, soap, gone = self.line(store, "CEDAR-L"), self.line(store, "SALT-SOAP"), self.line(store, "BATH-OIL")
        store.twin.shop.find_variant("SALT-SOAP")[1].stock = 0
        store.twin.shop.find_variant("CEDAR-L")[1].price = Decimal("35.50")
        del store.twin.shop.products[int(gone[0])]
        assert store.reads.lines_now(ACCESS, [soap, gone, large, soap]) == [
            LineNow(*soap, is_available=False, price=Decimal("9.50"), title="Sea Salt Soap"),
            LineNow(*gone, is_available=False),
            LineNow(*large, is_available=True, price=Decimal("35.50"), title="Cedar Candle"),
            LineNow(*soap, is_available=False, price=Decimal("9.50"), title="Sea Salt Soap"),
        ]
        assert len(store.requests) == 1

    def test_one_that_is_sold_without_stock_can_be_bought(self, store: Store) -> None:
        variant = store.twin.shop.find_variant("SALT-SOAP")[1]
        variant.stock, variant.sells_when_empty = 0, True
        (found,) = store.reads.lines_now(ACCESS, [self.line(store, "SALT-SOAP")])
        assert found.is_available

    def test_a_product_without_a_named_variant_can_be_bought_if_any_can(self, store: Store) -> None:
        product, _ = self.line(store, "CEDAR-L")
        (both,) = store.reads.lines_now(ACCESS, [(product, None)])
        assert (both.is_available, both.price, both.title) == (True, None, "Cedar Candle")
        for variant in store.twin.shop.products[int(product)].variants:
            variant.stock, variant.price = 0, Decimal("30.00")
        (none,) = store.reads.lines_now(ACCESS, [(product, None)])
        assert (none.is_available, none.price) == (False, Decimal("30.00"))

    @pytest.mark.parametrize(("status", "is_available"), [("ACTIVE", True), ("UNLISTED", True), ("DRAFT", False), ("ARCHIVED", False)])
    def test_a_product_that_is_not_on_sale_cannot_be_bought_whatever_its_variants_say(
        self, store: Store, status: str, is_available: bool
    ) -> None:
        variant = {"id": "gid://shopify/ProductVariant/2", "title": "L", "price": "9.50", "availableForSale": True}
        product = {"id": "gid://shopify/Product/1", "status": status, "title": "Soap"}
        variants = {"nodes": [{"price": "9.50", "availableForSale": True}]}
        store.answers.append(data(nodes=[variant | {"product": product}, product | {"variants": variants}]))
        found = store.reads.lines_now(ACCESS, [("1", "2"), ("1", None)])
        assert [one.is_available for one in found] == [is_available, is_available]

    def test_what_shopify_cannot_know_is_not_asked_for(self, store: Store) -> None:
        assert store.reads.lines_now(ACCESS, [("draft line", None), ("1", "x")]) == [
            LineNow("draft line", None, is_available=False),
            LineNow("1", "x", is_available=False),
        ]
        assert store.reads.lines_now(ACCESS, []) == []
        assert store.requests == []

    def test_more_than_fit_into_one_question_are_refused(self, store: Store) -> None:
        assert len(store.reads.lines_now(ACCESS, [("1", str(number)) for number in range(MOST_LINES)])) == MOST_LINES
        with pytest.raises(Rejected):
            store.reads.lines_now(ACCESS, [("1", "2")] * (MOST_LINES + 1))

    def test_fewer_than_were_asked_for_are_no_answer(self, store: Store) -> None:
        store.answers.append(data(nodes=[]))
        with pytest.raises(TransientError):
            store.reads.lines_now(ACCESS, [("1", "2")])

    def test_one_that_we_may_not_see_is_not_sold_out(self, store: Store) -> None:
        store.scopes = tuple(scope for scope in SCOPES if scope != "read_products")
        with pytest.raises(NotPermitted):
            store.reads.lines_now(ACCESS, [self.line(store, "CEDAR-L")])


def an_order(created_at: datetime, at: datetime) -> Order:
    return Order("1", at, created_at, created_at, "EUR", Decimal(1), PaymentState.PAID)


def a_checkout(created_at: datetime, at: datetime) -> Checkout:
    return Checkout("1", at, created_at, "EUR", Decimal(1))


def a_customer(created_at: datetime | None, at: datetime, *consents: Consent) -> Customer:
    return Customer("1", at, created_at=created_at, consents=consents)


SMS = Consent(Channel.SMS, ConsentState.SUBSCRIBED, START + HOUR, "platform")
BEFORE, AFTER = START - HOUR, START + HOUR
A_CODE = CodeState("1", AFTER, "MERCI", CodeKind.PERCENTAGE, CodeStatus.ACTIVE)


class TestWhatTellsOfIt:
    @pytest.mark.parametrize(
        ("change", "topics"),
        [
            (an_order(AFTER, AFTER), {"orders/create"}),
            (an_order(START, AFTER), {"orders/create"}),
            (an_order(BEFORE, AFTER), {"orders/updated"}),
            (a_checkout(AFTER, AFTER), {"checkouts/create"}),
            (a_checkout(BEFORE, AFTER), {"checkouts/update"}),
            (a_customer(AFTER, AFTER), {"customers/create"}),
            (a_customer(BEFORE, AFTER), {"customers/update"}),
            (a_customer(None, AFTER), {"customers/update"}),
            (a_customer(BEFORE, AFTER, SMS), {"customers/update", "customers_marketing_consent/update"}),
            (Product("1", AFTER, "Soap"), {"products/create", "products/update"}),
            (A_CODE, {"discounts/create", "discounts/update", "discounts/redeemcode_added", "discounts/redeemcode_removed"}),
            (an_order(BEFORE, BEFORE), set()),
            (a_customer(BEFORE, BEFORE, SMS), set()),
        ],
    )
    def test_a_change_is_told_by_topics_that_we_understand(self, store: Store, change: Change, topics: set[str]) -> None:
        assert store.reads.told_by(change, START) == topics
        assert topics <= TOPICS


class TestAdmin:
    @pytest.mark.parametrize(
        ("what", "number", "path"),
        [
            (Resource.ORDER, "42", "/orders/42"),
            (Resource.CUSTOMER, "42", "/customers/42"),
            (Resource.PRODUCT, "42", "/products/42"),
            (Resource.CHECKOUT, "42", "/checkouts/42"),
            (Resource.DISCOUNT_CODE, "42", "/discounts/42"),
            (Resource.CHECKOUT, "9f2c61d07be34d5a8c1e0f73b6a4d219", "/checkouts"),
            (Resource.ORDER, "../../x", "/orders"),
            (Resource.SHOP, "42", ""),
        ],
    )
    def test_a_record_has_its_page_in_the_admin(self, store: Store, what: Resource, number: str, path: str) -> None:
        assert store.reads.admin_url("demo.myshopify.com", what, number) == f"https://demo.myshopify.com/admin{path}"
