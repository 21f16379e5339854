"""Pages of records: what stands in the place of one and is none is an error, never "there are none"."""

import pytest

from connector.platforms import TransientError
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
