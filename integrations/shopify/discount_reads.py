"""Discounts of one shop as the GraphQL Admin API shows them: by code, by number, by words and by the time of their change."""

from collections.abc import Sequence
from datetime import datetime

from connector.codes import CodeState
from connector.platforms import Access, Gone, NotPermitted, TransientError
from connector.reading import Page
from integrations.shopify import queries_codes as documents
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.discount_nodes import KINDS, Discount, Node, to_code_state, wire_time
from integrations.shopify.nodes import ByGid, numeric_id
from integrations.shopify.paging import fitting


class CodeNode(Node):
    """A discount with its gid."""

    id: str
    code_discount: Discount | None = None


class ListedNode(Node):
    """A discount of a list, where automatic ones stand among the others."""

    id: str
    discount: Discount


class _ByCode(Node):
    code_discount_node_by_code: CodeNode | None


class _ById(ByGid, kw_only=True):
    nodes: list[CodeNode | None]


class _PageInfo(Node):
    has_next_page: bool
    end_cursor: str | None = None


class _Listed(Node):
    nodes: list[ListedNode]
    page_info: _PageInfo


class _Found(Node):
    discount_nodes: _Listed


def discount_of_code(client: Client, access: Access, code: str) -> CodeState | None:
    """The discount that has this code, whatever its letter case; None if the code is free. Raises PlatformError."""
    name = code.strip()
    if not name:
        return None
    reply = client.query(access, "discount by code", documents.CODE, {"code": name, "words": as_words(name)}, _ByCode)
    found = reply.data.code_discount_node_by_code
    if found is None or found.code_discount is None:
        refuse_gaps(reply.gaps)
        return None
    return _state(found.id, found.code_discount, name)


def discount_now(client: Client, access: Access, platform_id: str) -> CodeState | None:
    """A discount by its number as it is now, None if it is gone or automatic. Raises PlatformError."""
    if not _is_number(platform_id):
        return None
    reply = client.query(access, "discount by id", documents.DISCOUNT, {"ids": [discount_gid(platform_id)]}, _ById)
    if len(reply.data.nodes) != 1:
        raise TransientError("one discount was asked for, another number came", platform=PLATFORM, call="discount by id")
    (found,) = reply.data.nodes
    if found is None or found.code_discount is None:
        # Without the scope Shopify says null too, and nothing beside it.
        refuse_gaps(reply.gaps if reply.data.may("read_discounts") else ("scope",))
        return None
    return _state(found.id, found.code_discount)


def discounts_changed(client: Client, access: Access, since: datetime | None, until: datetime | None, cursor: str | None) -> Page:
    """Discounts with codes that changed in a span of time, oldest change first. Raises PlatformError."""
    bounds = [f"updated_at:>='{wire_time(since)}'"] if since else []
    bounds += [f"updated_at:<'{wire_time(until)}'"] if until else []
    return _page(client, access, " ".join(["method:code", *bounds]), cursor)


def discounts_found(client: Client, access: Access, words: str, cursor: str | None) -> Page:
    """Discounts whose title or code fits, newest change last. An empty text finds all. Raises PlatformError."""
    return _page(client, access, f"method:code {as_words(words)}".strip(), cursor)


def as_words(text: str) -> str:
    """A text as words of a search, each in quotes, so that nothing in it reads as a filter."""
    return " ".join(f'"{word}"' for word in text.replace("\\", " ").replace('"', " ").split())


def discount_gid(platform_id: str) -> str:
    """The name by which a discount is changed."""
    return f"gid://shopify/DiscountCodeNode/{platform_id}"


def refuse_gaps(gaps: Sequence[str]) -> None:
    """What is withheld does not read as "there is none". Raises NotPermitted."""
    if gaps:
        raise NotPermitted("discounts are withheld from us", platform=PLATFORM, call="discount", status=200)


def gone() -> Gone:
    """The error of a discount that is not there any more."""
    return Gone("there is no such discount any more", platform=PLATFORM, call="discount", status=200)


def _page(client: Client, access: Access, query: str, cursor: str | None) -> Page:
    reply = fitting(
        documents.CODE_PAGE,
        lambda size: client.query(access, "discounts", documents.DISCOUNTS, {"first": size, "after": cursor, "query": query}, _Found),
    )
    listed = reply.data.discount_nodes
    states = {node.id: to_code_state(node.id, node.discount) for node in listed.nodes if node.discount.typename in KINDS}
    unreadable = tuple(f"{numeric_id(gid)}: no code" for gid, state in states.items() if state is None)
    cursor = listed.page_info.end_cursor if listed.page_info.has_next_page else None
    return Page(tuple(state for state in states.values() if state is not None), cursor, unreadable, reply.gaps)


def _state(gid: str, found: Discount, asked: str = "") -> CodeState:
    state = to_code_state(gid, found, asked)
    if state is None:
        raise TransientError("the discount came without what every discount has", platform=PLATFORM, call="discount")
    return state


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
