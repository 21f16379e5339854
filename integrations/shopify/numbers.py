"""
The numbers of all records of a kind: what we keep and is not among them may be gone.

A list is paged by its own cursors up to the 25,000 objects at which Shopify's paging ends; from there on by a filter on the number.
"""

from collections.abc import Mapping

from connector.canonical import Resource
from connector.platforms import Access, NotPermitted, Rejected
from integrations.shopify import queries_ids as documents
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.legs import REACH
from integrations.shopify.nodes import Connection, Node, Reference, numeric_id
from integrations.shopify.paging import astray, next_cursor


class IdsAnswer(Node):
    """`…Ids`; null where such a list is not permitted."""

    found: Connection[Reference] | None


def numbers_page(client: Client, access: Access, what: Resource, cursor: str | None, reach: int = REACH) -> tuple[list[str], str | None]:
    """
    Up to 250 numbers, lowest first, and the cursor for the next.

    Raises PlatformError: Rejected for a kind that is not numbered as we know it, NotPermitted if they are not shown.
    """
    if what not in DOCUMENTS:
        raise Rejected(f"Shopify numbers no {what.value} as we know them", platform=PLATFORM, call="ids")
    passed, floor, after = _place(cursor)
    words = [*_WORDS.get(what, ()), *([f"id:>={floor + 1}"] if floor else [])]
    variables = {"first": documents.ID_PAGE, "after": after, "query": " ".join(words) or None}
    reply = client.query(access, "ids", DOCUMENTS[what], variables, IdsAnswer)
    if reply.data.found is None or reply.gaps:
        raise NotPermitted("the list is withheld from us", platform=PLATFORM, call="ids", status=200)
    numbers = [int(numeric_id(one.id)) for one in reply.data.found.nodes]
    # A filter that Shopify does not know is left out, and then everything is found again, from the beginning.
    if numbers != sorted(set(numbers)) or (numbers and numbers[0] <= floor):
        raise astray("ids")
    following = next_cursor(reply.data.found, after, "ids")
    passed += len(numbers)
    ids = [str(one) for one in numbers]
    if following is None:
        return ids, None
    if passed + documents.ID_PAGE <= reach:
        return ids, f"{passed}:{floor}:{following}"
    if not numbers:
        raise astray("ids")
    return ids, f"0:{numbers[-1]}:"


def _place(cursor: str | None) -> tuple[int, int, str | None]:
    """How many were passed since which number, and Shopify's own cursor."""
    if cursor is None:
        return 0, 0, None
    passed, floor, after = cursor.split(":", 2)
    return int(passed), int(floor), after or None


DOCUMENTS: Mapping[Resource, str] = {
    Resource.ORDER: documents.ORDER_IDS,
    Resource.CUSTOMER: documents.CUSTOMER_IDS,
    Resource.PRODUCT: documents.PRODUCT_IDS,
    Resource.DISCOUNT_CODE: documents.CODE_IDS,
}
"""Of checkouts we keep the token, which no list tells."""
_WORDS: Mapping[Resource, tuple[str, ...]] = {Resource.DISCOUNT_CODE: ("method:code",)}
