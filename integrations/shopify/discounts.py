"""
Discount codes of one shop by the GraphQL Admin API: looked up before they are made, and after every answer that leaves it open.

No mutation for discounts can be repeated safely: after an unclear answer only a look tells whether it was done.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from connector import clock
from connector.codes import CodeKind, CodeState, DiscountCode, IssuedCodes
from connector.platforms import Access, CodeTaken, Gone, NotPermitted, ThrottledError, TransientError
from connector.reading import Page
from integrations.shopify import queries_codes as documents
from integrations.shopify.answers import PLATFORM, UserErrors
from integrations.shopify.client import Client
from integrations.shopify.discount_nodes import KINDS, Discount, Node, is_as_wanted, to_code_state, to_input, wire_time
from integrations.shopify.nodes import ByGid

POLLS = (0.1, 0.2, 0.4, 0.8, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0)
"""Seconds between looks at codes that are being added."""
LISTING_PATIENCE = 10.0
TAKEN = "TAKEN"


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


class _Changed(Node):
    code_discount_node: CodeNode | None


class _Deleted(Node):
    deleted_code_discount_id: str | None


class _Addition(Node):
    id: str


class _Adding(Node):
    bulk_creation: _Addition | None


class _CodeError(Node):
    message: str = ""
    code: str | None = None


class _AddedCode(Node):
    code: str
    discount_redeem_code: CodeNode | None = None
    errors: list[_CodeError] = msgspec.field(default_factory=list)


class _AddedCodes(Node):
    nodes: list[_AddedCode]


class _Progress(Node):
    done: bool
    imported_count: int
    failed_count: int
    codes: _AddedCodes | None = None


class _Creation(Node):
    discount_redeem_code_bulk_creation: _Progress | None


class ShopifyCodes:
    """Implements `platforms.Codes`; safe to call from many threads. `sleep` waits while codes are being added."""

    def __init__(self, client: Client, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def issue_code(self, access: Access, code: DiscountCode) -> CodeState:
        """
        Make sure that this code exists, exactly as wanted. Title and use do not count; whatever else differs makes it another discount.

        Raises: CodeTaken, Rejected, and as all calls do.
        """
        held = self._held(access, code)
        if held is not None:
            return held
        try:
            made = self._create(access, code)
        except ThrottledError:
            raise
        except (TransientError, UserErrors) as error:
            # Nobody knows whether it was made, or somebody was faster.
            if isinstance(error, UserErrors) and TAKEN not in error.codes:
                raise
            held = self._held(access, code)
            if held is None:
                raise
            return held
        state = to_code_state(made.id, made.code_discount, code.code) if made and made.code_discount else None
        state = state or self._held(access, code)
        if state is None:
            raise TransientError("the code was neither made nor refused", platform=PLATFORM, call="discount create")
        return state

    def issue_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """
        Give a discount more codes, 250 at a time; doing it again adds only what is missing.

        Raises TransientError if Shopify has not done after about 20 seconds: what it did is found the next time. Raises Gone.
        """
        wanted = list({code.casefold(): code for code in codes}.values())
        issued: list[str] = []
        refused: dict[str, str] = {}
        for start in range(0, len(wanted), documents.BULK):
            part = wanted[start : start + documents.BULK]
            errors = self._add(access, platform_id, part)
            taken = [code for code in part if errors.get(code) == TAKEN]
            own = self._own(access, platform_id, taken)
            issued += [code for code in part if code not in errors or code in own]
            refused |= {code: reason for code, reason in errors.items() if code not in own}
        return IssuedCodes(tuple(issued), refused)

    def read_code(self, access: Access, code: str) -> CodeState | None:
        """The discount that has this code, whatever its letter case; None if the code is free."""
        name = code.strip()
        if not name:
            return None
        reply = self._client.query(access, "discount by code", documents.CODE, {"code": name}, _ByCode)
        found = reply.data.code_discount_node_by_code
        if found is None or found.code_discount is None:
            _refuse_gaps(reply.gaps)
            return None
        return _state(found.id, found.code_discount, name)

    def find_codes(self, access: Access, words: str, cursor: str | None = None) -> Page:
        """Codes whose title or code fits, newest change last. An empty text finds all."""
        quoted = " ".join(f'"{word}"' for word in words.replace("\\", " ").replace('"', " ").split())
        return _page(self._client, access, f"method:code {quoted}".strip(), cursor)

    def suspend_code(self, access: Access, platform_id: str) -> None:
        """End the discount now; a suspended one reads EXPIRED, and its former end is forgotten. Raises Gone."""
        self._switch(access, platform_id, documents.DEACTIVATE, "discountCodeDeactivate")

    def resume_code(self, access: Access, platform_id: str) -> None:
        """Let it hold again, from now on and without an end. Raises Gone."""
        self._switch(access, platform_id, documents.ACTIVATE, "discountCodeActivate")

    def delete_code(self, access: Access, platform_id: str) -> None:
        """Take the discount away with all its codes; one that is gone already is fine."""
        call = "discount delete"
        try:
            self._client.mutate(access, call, documents.DELETE, {"id": _gid(platform_id)}, _Deleted, "discountCodeDelete")
        except UserErrors:
            if discount_now(self._client, access, platform_id) is not None:
                raise

    def _held(self, access: Access, code: DiscountCode) -> CodeState | None:
        """The code as the shop has it, None if it is free. Raises CodeTaken if it is another discount's."""
        held = self.read_code(access, code.code)
        if held is not None and not is_as_wanted(held, code):
            raise CodeTaken("another discount of the shop has this code", platform=PLATFORM, call="discount create")
        return held

    def _create(self, access: Access, code: DiscountCode) -> CodeNode | None:
        is_shipping = code.kind is CodeKind.FREE_SHIPPING
        document = documents.CREATE_FREE_SHIPPING if is_shipping else documents.CREATE_BASIC
        root = "discountCodeFreeShippingCreate" if is_shipping else "discountCodeBasicCreate"
        variables = {"discount": to_input(code, clock.now())}
        return self._client.mutate(access, "discount create", document, variables, _Changed, root).code_discount_node

    def _switch(self, access: Access, platform_id: str, document: str, root: str) -> None:
        try:
            self._client.mutate(access, "discount switch", document, {"id": _gid(platform_id)}, _Changed, root)
        except UserErrors as error:
            if discount_now(self._client, access, platform_id) is None:
                raise _gone() from error
            raise

    def _add(self, access: Access, platform_id: str, codes: Sequence[str]) -> dict[str, str]:
        """Add up to 250 codes and wait for the end; returns why some were refused: the platform's code for it, else its words."""
        variables = {"discountId": _gid(platform_id), "codes": [{"code": code} for code in codes]}
        try:
            adding = self._client.mutate(access, "codes add", documents.ADD_CODES, variables, _Adding, "discountRedeemCodeBulkAdd")
        except UserErrors as error:
            if discount_now(self._client, access, platform_id) is None:
                raise _gone() from error
            raise
        if adding.bulk_creation is None:
            raise TransientError("codes were neither taken nor refused", platform=PLATFORM, call="codes add")
        progress = self._wait(access, adding.bulk_creation.id)
        if progress.failed_count == 0 and progress.imported_count == len(codes):
            return {}
        # Costs 750 points: only if something was refused.
        variables, patience = {"id": adding.bulk_creation.id}, LISTING_PATIENCE
        reply = self._client.query(access, "codes added", documents.ADDED_CODES, variables, _Creation, patience=patience)
        told = reply.data.discount_redeem_code_bulk_creation
        if told is None or told.codes is None or len(told.codes.nodes) < len(codes):
            raise TransientError("Shopify does not say what became of all codes", platform=PLATFORM, call="codes added")
        spelt = {code.casefold(): code for code in codes}
        return {spelt.get(one.code.casefold(), one.code): _why(one) for one in told.codes.nodes if one.discount_redeem_code is None}

    def _wait(self, access: Access, addition: str) -> _Progress:
        for seconds in POLLS:
            reply = self._client.query(access, "codes added", documents.ADDED, {"id": addition}, _Creation)
            progress = reply.data.discount_redeem_code_bulk_creation
            if progress is not None and progress.done:
                return progress
            self._sleep(seconds)
        raise TransientError("codes are still being added", platform=PLATFORM, call="codes add")

    def _own(self, access: Access, platform_id: str, codes: Sequence[str]) -> set[str]:
        """Those of these codes that this very discount has."""
        own: set[str] = set()
        for start in range(0, len(codes), documents.OWNERS_AT_ONCE):
            part = codes[start : start + documents.OWNERS_AT_ONCE]
            places = {f"c{place}": part[min(place, len(part) - 1)] for place in range(documents.OWNERS_AT_ONCE)}
            reply = self._client.query(access, "owners of codes", documents.OWNERS, places, dict[str, CodeNode | None])
            own |= {places[name] for name, node in reply.data.items() if node is not None and _number(node.id) == platform_id}
        return own


def discount_now(client: Client, access: Access, platform_id: str) -> CodeState | None:
    """A discount by its number as it is now, None if it is gone or automatic. Raises PlatformError."""
    if not _is_number(platform_id):
        return None
    reply = client.query(access, "discount by id", documents.DISCOUNT, {"ids": [_gid(platform_id)]}, _ById)
    if len(reply.data.nodes) != 1:
        raise TransientError("one discount was asked for, another number came", platform=PLATFORM, call="discount by id")
    (found,) = reply.data.nodes
    if found is None or found.code_discount is None:
        # Without the scope Shopify says null too, and nothing beside it.
        _refuse_gaps(reply.gaps if reply.data.may("read_discounts") else ("scope",))
        return None
    return _state(found.id, found.code_discount)


def discounts_changed(client: Client, access: Access, since: datetime | None, until: datetime | None, cursor: str | None) -> Page:
    """Discounts with codes that changed in a span of time, oldest change first, 20 a page. Raises PlatformError."""
    bounds = [f"updated_at:>='{wire_time(since)}'"] if since else []
    bounds += [f"updated_at:<'{wire_time(until)}'"] if until else []
    return _page(client, access, " ".join(["method:code", *bounds]), cursor)


def _page(client: Client, access: Access, query: str, cursor: str | None) -> Page:
    variables = {"first": documents.CODE_PAGE, "after": cursor, "query": query}
    reply = client.query(access, "discounts", documents.DISCOUNTS, variables, _Found)
    listed = reply.data.discount_nodes
    states = {node.id: to_code_state(node.id, node.discount) for node in listed.nodes if node.discount.typename in KINDS}
    unreadable = tuple(f"{_number(gid)}: no code" for gid, state in states.items() if state is None)
    return Page(
        tuple(state for state in states.values() if state is not None),
        listed.page_info.end_cursor if listed.page_info.has_next_page else None,
        unreadable,
        reply.gaps,
    )


def _state(gid: str, found: Discount, asked: str = "") -> CodeState:
    state = to_code_state(gid, found, asked)
    if state is None:
        raise TransientError("the discount came without what every discount has", platform=PLATFORM, call="discount")
    return state


def _refuse_gaps(gaps: Sequence[str]) -> None:
    """What is withheld does not read as "there is none"."""
    if gaps:
        raise NotPermitted("discounts are withheld from us", platform=PLATFORM, call="discount", status=200)


def _gone() -> Gone:
    return Gone("there is no such discount any more", platform=PLATFORM, call="discount", status=200)


def _why(one: _AddedCode) -> str:
    first = one.errors[0] if one.errors else _CodeError()
    return first.code or first.message or "refused without a reason"


def _gid(platform_id: str) -> str:
    return f"gid://shopify/DiscountCodeNode/{platform_id}"


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
