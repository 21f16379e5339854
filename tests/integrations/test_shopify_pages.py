"""Pages of records: what stands in the place of one and is none is an error, never "there are none"."""

import pytest

from connector.canonical import Resource
from connector.platforms import PayloadError, TransientError
from tests.integrations.shopify_answers import ACCESS, SINCE, Shop, line, nodes, order, orders, page, product, variant

NO_PAGES: list[object] = [
    {},
    [],
    None,
    {"nodes": []},
    {"edges": [], "pageInfo": {"hasNextPage": False}},
    {"nodes": [], "pageInfo": {}},
    {"nodes": [], "pageInfo": None},
    {"nodes": None, "pageInfo": {"hasNextPage": False}},
    {"nodes": {}, "pageInfo": {"hasNextPage": False}},
]
"""What stands where a page of records belongs and is none: it must not read as "there are none"."""
UNKNOWN = {"message": "Something went wrong", "extensions": {"code": "INTERNAL_SERVER_ERROR"}, "path": ["product"]}


class TestPagesOfAnotherShape:
    @pytest.mark.parametrize("odd", NO_PAGES)
    def test_are_not_a_shop_without_orders(self, odd: object) -> None:
        with pytest.raises(TransientError) as caught:
            Shop({"data": {"orders": odd}}).platform.read_orders_since(ACCESS, SINCE)
        assert (type(caught.value), caught.value.call) == (TransientError, "orders")

    @pytest.mark.parametrize("odd", NO_PAGES)
    def test_are_not_an_order_without_lines(self, odd: object) -> None:
        for answers in (
            [orders(order(lineItems=odd))],
            [orders(order(lineItems=page([line(1)], "c1"))), {"data": {"order": {"lineItems": odd}}}],
        ):
            with pytest.raises(TransientError):
                Shop(*answers).platform.read_orders_since(ACCESS, SINCE)

    @pytest.mark.parametrize("odd", NO_PAGES)
    def test_are_not_a_product_without_variants(self, odd: object) -> None:
        for answers in (
            [nodes(product(variants=odd))],
            [nodes(product(variants=page([variant(1)], "c1"))), {"data": {"product": {"variants": odd}}}],
        ):
            with pytest.raises(TransientError):
                Shop(*answers).platform.read_products(ACCESS, ["101"])

    @pytest.mark.parametrize("media", [{}, [], {"edges": []}, {"nodes": None}])
    def test_are_not_a_variant_without_picture(self, media: object) -> None:
        with pytest.raises(TransientError):
            Shop(nodes(product(variants=page([variant(1) | {"media": media}])))).platform.read_products(ACCESS, ["101"])

    def test_nor_is_their_absence(self) -> None:
        order_node, product_node, variant_node = order(), product(), variant(1)
        del order_node["lineItems"], product_node["variants"], variant_node["media"]
        for shop in (Shop({"data": {}}), Shop(orders(order_node))):
            with pytest.raises(TransientError):
                shop.platform.read_orders_since(ACCESS, SINCE)
        for shop in (Shop(nodes(product_node)), Shop(nodes(product(variants=page([variant_node]))))):
            with pytest.raises(TransientError):
                shop.platform.read_products(ACCESS, ["101"])

    @pytest.mark.parametrize("data", [{}, {"nodes": []}, {"nodes": None}, {"product": None}])
    def test_nor_an_answer_to_another_question(self, data: object) -> None:
        with pytest.raises(TransientError):
            Shop({"data": data}).platform.read_products(ACCESS, ["101"])

    @pytest.mark.parametrize("cursor", ["c1", None])
    def test_pages_that_lead_nowhere_are_not_the_end(self, cursor: str | None) -> None:
        """More is announced, and no way to it: the rest is not read, so nothing is."""
        again = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": cursor}}
        with pytest.raises(TransientError):
            Shop(orders(order(), cursor="c1"), {"data": {"orders": again}}).platform.read_orders_since(ACCESS, SINCE)
        with pytest.raises(TransientError):
            Shop(orders(order(lineItems=page([line(1)], "c1"))), {"data": {"order": {"lineItems": again}}}).platform.read_orders_since(
                ACCESS, SINCE
            )
        with pytest.raises(TransientError):
            Shop(nodes(product(variants=page([variant(1)], "c1"))), {"data": {"product": {"variants": again}}}).platform.read_products(
                ACCESS, ["101"]
            )

    def test_an_owner_that_was_withheld_has_not_vanished(self) -> None:
        with pytest.raises(TransientError):
            Shop(
                nodes(product(variants=page([variant(1)], "c1"))), {"data": {"product": None}, "errors": [UNKNOWN]}
            ).platform.read_products(ACCESS, ["101"])
        with pytest.raises(TransientError):
            Shop(orders(order(lineItems=page([line(1)], "c1"))), {"data": {"order": None}, "errors": [UNKNOWN]}).platform.read_orders_since(
                ACCESS, SINCE
            )

    def test_nor_has_one_that_we_may_not_see_any_more(self) -> None:
        denied = {"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}, "path": ["order"]}
        with pytest.raises(TransientError):
            Shop(orders(order(lineItems=page([line(1)], "c1"))), {"data": {"order": None}, "errors": [denied]}).platform.read_orders_since(
                ACCESS, SINCE
            )

    def test_an_order_that_makes_no_sense_is_not_left_out_in_silence(self) -> None:
        with pytest.raises(PayloadError) as caught:
            Shop(orders(order(1), order(2, totalPriceSet=None))).platform.read_orders_since(ACCESS, SINCE)
        assert caught.value.reason == "missing_total"


class TestListsOfAnotherShape:
    @pytest.mark.parametrize("odd", NO_PAGES)
    @pytest.mark.parametrize(
        ("what", "root"),
        [
            (Resource.ORDER, "orders"),
            (Resource.CUSTOMER, "customers"),
            (Resource.PRODUCT, "products"),
            (Resource.CHECKOUT, "abandonedCheckouts"),
            (Resource.DISCOUNT_CODE, "discountNodes"),
        ],
    )
    def test_are_not_a_shop_in_which_nothing_changed(self, what: Resource, root: str, odd: object) -> None:
        for data in ({root: odd}, {}, {"other": page([])}):
            reads = Shop({"data": data}).platform.reads
            assert reads is not None
            with pytest.raises(TransientError):
                reads.changes(ACCESS, what, SINCE)

    @pytest.mark.parametrize(
        "name", ["checkoutToken", "cartToken", "cancelledAt", "test", "updatedAt", "createdAt", "displayFinancialStatus"]
    )
    def test_an_order_without_what_decides_anything_is_no_order(self, name: str) -> None:
        """Null is an answer, absence is another question's: an order without link would be nobody's, one without a mark genuine."""
        node = order()
        del node[name]
        with pytest.raises(TransientError):
            Shop(orders(node)).platform.read_orders_since(ACCESS, SINCE)

    @pytest.mark.parametrize("cursor", ["c1", None])
    def test_a_list_that_leads_back_to_where_it_came_from_is_no_end(self, cursor: str | None) -> None:
        reads = Shop({"data": {"orders": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": cursor}}}}).platform.reads
        assert reads is not None
        with pytest.raises(TransientError):
            reads.changes(ACCESS, Resource.ORDER, SINCE, None, cursor)

    def test_pages_that_go_round_in_circles_end(self) -> None:
        with pytest.raises(TransientError):
            Shop(*(orders(order(), cursor=cursor) for cursor in ("c1", "c2") * 50)).platform.read_orders_since(ACCESS, SINCE)
