"""Pages of records as Shopify gives them, each record with all that belongs to it: a product's variants, an order's lines."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from connector.platforms import Access, NotPermitted, TransientError
from integrations.shopify import queries
from integrations.shopify.answers import PLATFORM, TooDear
from integrations.shopify.client import Client, Reply
from integrations.shopify.nodes import (
    ByGid,
    CheckoutLineNode,
    CheckoutNode,
    Connection,
    CustomerNode,
    Node,
    OrderLineNode,
    OrderNode,
    PageInfo,
    ProductNode,
    VariantNode,
)

PATIENCE = 20.0
"""Seconds that the rest of a record waits for its points. What was read already would be read again if it gave up."""
T = TypeVar("T")


class ProductsAnswer(ByGid):
    """`ProductsByGid`: null where the product is gone."""

    nodes: list[ProductNode | None]


class ProductsPage(Node):
    """`ProductsChangedSince`."""

    products: Connection[ProductNode]


class VariantsOwner(Node):
    """A product with one page of variants."""

    variants: Connection[VariantNode]


class VariantsAnswer(Node):
    """`VariantsOfProduct`; null once the product is gone."""

    product: VariantsOwner | None


class CustomersPage(Node):
    """`CustomersChangedSince`."""

    customers: Connection[CustomerNode]


class CustomerAnswer(Node):
    """`CustomerNow`; null once the customer is gone."""

    customer: CustomerNode | None


class OrdersPage(Node):
    """`OrdersChangedSince`, `OrdersOfCheckout`."""

    orders: Connection[OrderNode]


class OrderAnswer(Node):
    """`OrderNow`; null if the order is gone or out of our reach."""

    order: OrderNode | None


class LinesOwner(Node):
    """An order with one page of lines."""

    line_items: Connection[OrderLineNode]


class LinesAnswer(Node):
    """`LinesOfOrder`; null once the order is gone."""

    order: LinesOwner | None


class CheckoutsPage(Node):
    """`CheckoutsChangedSince`."""

    abandoned_checkouts: Connection[CheckoutNode]


class CheckoutAnswer(ByGid):
    """`CheckoutNow`; null once the checkout is gone."""

    node: CheckoutNode | None


class CheckoutLinesOwner(Node):
    """A checkout with one page of lines."""

    line_items: Connection[CheckoutLineNode]


class CheckoutLinesAnswer(Node):
    """`LinesOfCheckout`; null once the checkout is gone."""

    node: CheckoutLinesOwner | None


def products_by_gid(client: Client, access: Access, gids: Sequence[str]) -> Reply[list[ProductNode | None]]:
    """Products in the order of `gids` with all their variants; None where Shopify knows none. At most `PRODUCT_PAGE` at once."""
    reply = client.query(access, "products", queries.PRODUCTS, {"ids": list(gids)}, ProductsAnswer)
    if len(reply.data.nodes) != len(gids):
        # Each id has its place, null if the product is gone. Fewer places say nothing of what is gone.
        raise TransientError("unreadable answer: products are missing from it", platform=PLATFORM, call="products")
    if None in reply.data.nodes and not reply.data.may("read_products"):
        raise _withheld("products")
    for node in reply.data.nodes:
        if node is not None:
            _complete_product(client, access, node)
    return Reply(reply.data.nodes, reply.gaps)


def products_page(client: Client, access: Access, search: str, after: str | None) -> Reply[Connection[ProductNode]]:
    """One page of products, each with all its variants."""
    reply = fitting(
        queries.PRODUCT_PAGE,
        lambda size: client.query(access, "products", queries.PRODUCTS_CHANGED, _page(size, search, after), ProductsPage),
    )
    for node in reply.data.products.nodes:
        _complete_product(client, access, node)
    return Reply(reply.data.products, reply.gaps)


def customers_page(
    client: Client, access: Access, search: str, after: str | None, *, newest_first: bool = False
) -> Reply[Connection[CustomerNode]]:
    """One page of customers."""
    way = {"reverse": newest_first}
    reply = fitting(
        queries.CUSTOMER_PAGE,
        lambda size: client.query(access, "customers", queries.CUSTOMERS, _page(size, search, after) | way, CustomersPage),
    )
    return Reply(reply.data.customers, reply.gaps)


def customer_now(client: Client, access: Access, gid: str) -> Reply[CustomerNode | None]:
    """One customer, None if there is none."""
    reply = client.query(access, "customer", queries.CUSTOMER_NOW, {"id": gid}, CustomerAnswer)
    return _told(reply, reply.data.customer, "customer")


def orders_page(client: Client, access: Access, search: str, after: str | None) -> Reply[Connection[OrderNode]]:
    """One page of orders, each with all its lines."""
    reply = fitting(queries.ORDER_PAGE, lambda size: client.query(access, "orders", queries.ORDERS, _page(size, search, after), OrdersPage))
    for node in reply.data.orders.nodes:
        _complete_order(client, access, node)
    return Reply(reply.data.orders, reply.gaps)


def orders_found(client: Client, access: Access, search: str) -> Reply[list[OrderNode]]:
    """The first few orders that a search finds, oldest first, with as many lines as one answer holds."""
    reply = client.query(access, "orders_of", queries.ORDERS_OF, {"query": search}, OrdersPage)
    if not reply.data.orders.nodes and reply.gaps:
        raise _withheld("orders_of")
    return Reply(reply.data.orders.nodes, reply.gaps)


def order_now(client: Client, access: Access, gid: str) -> Reply[OrderNode | None]:
    """One order with all its lines, None if Shopify gives none."""
    reply = client.query(access, "order", queries.ORDER_NOW, {"id": gid}, OrderAnswer)
    if reply.data.order is not None:
        _complete_order(client, access, reply.data.order)
    return _told(reply, reply.data.order, "order")


def checkouts_page(client: Client, access: Access, search: str, after: str | None) -> Reply[Connection[CheckoutNode]]:
    """One page of abandoned checkouts, each with all its lines."""
    reply = fitting(
        queries.CHECKOUT_PAGE,
        lambda size: client.query(access, "checkouts", queries.CHECKOUTS, _page(size, search, after), CheckoutsPage),
    )
    for node in reply.data.abandoned_checkouts.nodes:
        _complete_checkout(client, access, node)
    return Reply(reply.data.abandoned_checkouts, reply.gaps)


def checkout_now(client: Client, access: Access, gid: str) -> Reply[CheckoutNode | None]:
    """One abandoned checkout with all its lines, None if there is none."""
    reply = client.query(access, "checkout", queries.CHECKOUT_NOW, {"id": gid}, CheckoutAnswer)
    if reply.data.node is not None:
        _complete_checkout(client, access, reply.data.node)
    elif not reply.data.may("read_orders"):
        raise _withheld("checkout")
    return _told(reply, reply.data.node, "checkout")


def fitting(size: int, ask: Callable[[int], Reply[T]]) -> Reply[T]:
    """
    What `ask` brings for a page of this size, or of half of it, and so on, where Shopify finds the larger one too dear.

    Our sizes go to the limit by the published rule; should Shopify reckon otherwise, reading is slower and goes on.
    """
    while True:
        try:
            return ask(size)
        except TooDear:
            size //= 2
            if size == 0:
                raise


def next_cursor(page: Connection[Any], after: str | None, call: str) -> str | None:
    """Where the next page begins, None after the last. Raises TransientError where more is announced but no new cursor leads to it."""
    if not page.page_info.has_next_page:
        return None
    if page.page_info.end_cursor in (None, after):
        raise astray(call)
    return page.page_info.end_cursor


def _page(first: int, search: str, after: str | None) -> dict[str, Any]:
    return {"first": first, "after": after, "query": search}


def _told(reply: Reply[Any], found: T | None, call: str) -> Reply[T | None]:
    """What was found. What is withheld does not read as "there is none"."""
    if found is None and reply.gaps:
        raise _withheld(call)
    return Reply(found, reply.gaps)


def _withheld(call: str) -> NotPermitted:
    return NotPermitted("withheld from us", platform=PLATFORM, call=call, status=200)


def _complete_product(client: Client, access: Access, node: ProductNode) -> None:
    node.variants.nodes.extend(rest(node.variants, "variants", partial(_variants, client, access, node.id)))


def _complete_order(client: Client, access: Access, node: OrderNode) -> None:
    node.line_items.nodes.extend(rest(node.line_items, "order_lines", partial(_order_lines, client, access, node.id)))


def _complete_checkout(client: Client, access: Access, node: CheckoutNode) -> None:
    node.line_items.nodes.extend(rest(node.line_items, "checkout_lines", partial(_checkout_lines, client, access, node.id)))


def _variants(client: Client, access: Access, gid: str, after: str | None) -> Connection[VariantNode]:
    variables = {"id": gid, "after": after}
    reply = client.query(access, "variants", queries.VARIANTS, variables, VariantsAnswer, patience=PATIENCE)
    return reply.data.product.variants if reply.data.product else _vanished(reply, "variants")


def _order_lines(client: Client, access: Access, gid: str, after: str | None) -> Connection[OrderLineNode]:
    reply = client.query(access, "order_lines", queries.LINES, {"id": gid, "after": after}, LinesAnswer, patience=PATIENCE)
    return reply.data.order.line_items if reply.data.order else _vanished(reply, "order_lines")


def _checkout_lines(client: Client, access: Access, gid: str, after: str | None) -> Connection[CheckoutLineNode]:
    variables = {"id": gid, "after": after}
    reply = client.query(access, "checkout_lines", queries.CHECKOUT_LINES, variables, CheckoutLinesAnswer, patience=PATIENCE)
    return reply.data.node.line_items if reply.data.node else _vanished(reply, "checkout_lines")


def _vanished(reply: Reply[Any], call: str) -> Connection[Any]:
    """A page of nothing: the record was deleted while we paged. One that was only withheld from the answer was not."""
    if reply.gaps:
        raise TransientError("the rest was withheld", platform=PLATFORM, call=call, status=200)
    return Connection(nodes=[], page_info=PageInfo(has_next_page=False))


def rest(page: Connection[T], call: str, ask: Callable[[str | None], Connection[T]]) -> Iterator[T]:
    """All nodes behind `page`. Raises TransientError where more is announced but no new cursor leads to it."""
    seen: set[str | None] = {None}
    while page.page_info.has_next_page:
        cursor = page.page_info.end_cursor
        if cursor in seen:
            raise astray(call)
        seen.add(cursor)
        page = ask(cursor)
        yield from page.nodes


def astray(call: str) -> TransientError:
    """The error of pages that announce more and lead to nothing new."""
    return TransientError("unreadable answer: its pages lead nowhere", platform=PLATFORM, call=call, status=200)
