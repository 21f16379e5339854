"""
Calls to one shop: the OAuth endpoint and the GraphQL Admin API.

GraphQL reports most failures inside an HTTP 200, sometimes beside usable data. Data is kept whenever there is some;
what was withheld is named in `Reply.gaps`. Source: shopify.dev, "Status and error codes", "Rate limits", 2026-10.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from connector.platforms import Access, AccessLost, InstallRefused, NotPermitted, PlatformError, Rejected, ThrottledError, TransientError
from integrations.shopify import queries
from integrations.shopify.reads import Connection, Node, OrderLineNode, OrderNode, PageInfo, ProductNode, VariantNode
from integrations.shopify.signature import shop_domain
from integrations.transport import DEFAULT_RETRY_AFTER, Answer, Transport, decode, raise_for_status

PLATFORM = "shopify"
API_VERSION = "2026-10"
MAX_WAIT = 60.0
T = TypeVar("T")
KINDS: Mapping[str, type[NotPermitted] | type[TransientError]] = {
    "ACCESS_DENIED": NotPermitted,
    # A frozen shop answers 402 or 423 to other calls, which the transport maps alike.
    "SHOP_INACTIVE": NotPermitted,
    "INTERNAL_SERVER_ERROR": TransientError,
    "TIMEOUT": TransientError,
}
log = structlog.get_logger()


class GraphError(msgspec.Struct):
    """One entry of `errors`; its code is what counts, its words are for people."""

    message: str = ""
    extensions: dict[str, Any] | None = None
    path: list[str | int] | None = None

    @property
    def code(self) -> str:
        """`THROTTLED`, `ACCESS_DENIED` …, or "" if Shopify gives none."""
        return str((self.extensions or {}).get("code", ""))


class ThrottleStatus(Node):
    """The bucket of points of this app in this shop."""

    currently_available: float = 0.0
    restore_rate: float = 0.0


class Cost(Node):
    """What a query was reckoned to cost."""

    requested_query_cost: float | None = None
    throttle_status: ThrottleStatus | None = None


class Extensions(msgspec.Struct):
    """Beside the data: the cost."""

    cost: Cost | None = None


class Envelope(msgspec.Struct):
    """A GraphQL answer. `errors` is a list in a 200, a text or an object in other answers; `data` is read after them."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[GraphError] | dict[str, Any] | str | None = None
    extensions: Extensions | None = None


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """Usable data, and the dotted paths of what was withheld from it."""

    data: T
    gaps: tuple[str, ...] = ()


class ProductsAnswer(Node):
    """`ProductsByGid`: null where the product is gone."""

    nodes: list[ProductNode | None]


class VariantsOwner(Node):
    """A product with one page of variants."""

    variants: Connection[VariantNode]


class VariantsAnswer(Node):
    """`VariantsOfProduct`; null once the product is gone."""

    product: VariantsOwner | None


class OrdersAnswer(Node):
    """`OrdersChangedSince`."""

    orders: Connection[OrderNode]


class LinesOwner(Node):
    """An order with one page of lines."""

    line_items: Connection[OrderLineNode]


class LinesAnswer(Node):
    """`LinesOfOrder`; null once the order is gone."""

    order: LinesOwner | None


class TokenAnswer(msgspec.Struct):
    """What the OAuth endpoint gives for a code."""

    access_token: str = ""
    scope: str = ""
    refresh_token: str = ""
    expires_in: int = 3600
    refresh_token_expires_in: int = 7776000


def exchange_code(transport: Transport, domain: str, client_id: str, client_secret: str, code: str) -> TokenAnswer:
    """
    Trade an authorization code for an expiring offline token pair.

    Raises: InstallRefused if Shopify does not take the code (used, old, foreign), else PlatformError.
    """
    fields = {"client_id": client_id, "client_secret": client_secret, "code": code, "expiring": "1"}
    answer = token_endpoint(transport, domain, fields, call="access_token")
    if token_refusal(answer) is not None:
        raise InstallRefused(
            "Shopify did not accept the sign-in; open the app in Shopify again",
            platform=PLATFORM,
            call="access_token",
            status=answer.status,
        )
    check_status(answer, "access_token")
    return decode(answer, TokenAnswer, platform=PLATFORM, call="access_token")


def token_endpoint(transport: Transport, domain: str, fields: Mapping[str, str], *, call: str) -> Answer:
    """Ask a shop's token endpoint; the answer as it comes, refusals included. Raises TransientError if none comes."""
    return transport.send(PLATFORM, call, "POST", f"https://{domain}/admin/oauth/access_token", json=dict(fields))


def token_refusal(answer: Answer) -> str | None:
    """
    Why the token endpoint refuses, in its own word (`invalid_grant` …) or "" where it gives none; None if Shopify refused nothing.

    Where JSON is not wanted it says so in a page titled "Oauth error …". Any other page is of something in between.
    """
    if answer.status not in (400, 401, 403) or (_is_page(answer) and b"oauth error" not in answer.body.lower()):
        return None
    try:
        content = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    word = content.get("error") if isinstance(content, dict) else None
    return word if isinstance(word, str) else ""


def read_products(transport: Transport, access: Access, gids: Sequence[str]) -> Reply[list[ProductNode | None]]:
    """Products in the order of `gids` with all their variants; None where Shopify knows none. At most `PRODUCT_PAGE` at once."""
    reply = query(transport, access, "products", queries.PRODUCTS, {"ids": list(gids)}, ProductsAnswer)
    if len(reply.data.nodes) != len(gids):
        # Each id has its place, null if the product is gone. Fewer places say nothing of what is gone.
        raise TransientError("unreadable answer: products are missing from it", platform=PLATFORM, call="products")
    for node in reply.data.nodes:
        if node is not None:
            node.variants.nodes.extend(_rest(node.variants, "variants", partial(_variants, transport, access, node.id)))
    return Reply(reply.data.nodes, reply.gaps)


def read_orders(transport: Transport, access: Access, since: datetime) -> Iterator[OrderNode]:
    """Orders changed at or after `since`, oldest change first, each with all its lines; asks page by page while it is read."""
    search = f"updated_at:>='{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"

    def page(after: str | None) -> Connection[OrderNode]:
        variables = {"first": queries.ORDER_PAGE, "after": after, "query": search}
        return query(transport, access, "orders", queries.ORDERS, variables, OrdersAnswer).data.orders

    first = page(None)
    for node in (*first.nodes, *_rest(first, "orders", page)):
        node.line_items.nodes.extend(_rest(node.line_items, "order_lines", partial(_lines, transport, access, node.id)))
        yield node


def query(transport: Transport, access: Access, call: str, document: str, variables: Mapping[str, Any], shape: type[T]) -> Reply[T]:
    """
    Send one GraphQL document and return its data.

    Raises: ThrottledError with the wait that the bucket needs, AccessLost, NotPermitted (also a frozen or inactive shop),
    TransientError, Rejected.
    """
    token = access.credentials.get("access_token", "")
    # The token must never travel to a host that is not Shopify's.
    if not token or shop_domain(access.domain) is None:
        raise AccessLost("no access token for this shop", platform=PLATFORM, call=call)
    answer = transport.send(
        PLATFORM,
        call,
        "POST",
        f"https://{access.domain}/admin/api/{API_VERSION}/graphql.json",
        headers={"x-shopify-access-token": token},
        json={"query": document, "variables": dict(variables)},
    )
    check_status(answer, call)
    _note_version(answer, call)
    envelope = decode(answer, Envelope, platform=PLATFORM, call=call)
    errors = _errors(envelope.errors)
    if any(error.code == "THROTTLED" for error in errors):
        wait = _wait(envelope.extensions)
        transport.throttled(PLATFORM, call, wait)
        raise ThrottledError("throttled", platform=PLATFORM, call=call, status=answer.status, retry_after=wait)
    try:
        data = msgspec.json.decode(envelope.data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as misfit:
        # Nothing usable came: what Shopify says of it decides, else the answer was mangled.
        raise _failure(errors, call, answer.status) from misfit
    gaps = tuple(".".join(map(str, error.path or ())) or error.code or "unnamed" for error in errors)
    if gaps:
        log.warning("shopify.withheld", call=call, gaps=gaps[:10])
    return Reply(data, gaps)


def check_status(answer: Answer, call: str) -> None:
    """
    Map an HTTP status to the error tree, where Shopify's own words say more.

    A page where JSON belongs comes from Shopify's edge or from something in between: it says nothing of our rights or records.
    """
    if answer.status in (400, 401, 403, 404) and _is_page(answer):
        raise TransientError(f"answered {answer.status} with a page", platform=PLATFORM, call=call, status=answer.status)
    if answer.status < 400:
        raise_for_status(answer, platform=PLATFORM, call=call)
        return
    words = _words(answer.body)
    if answer.status == 403 and "non-expiring access token" in words.lower():
        # Not a missing scope: this kind of token is dead for good.
        raise AccessLost(words, platform=PLATFORM, call=call, status=403)
    raise_for_status(answer, platform=PLATFORM, call=call, words=words)


def _is_page(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").strip().lower().startswith("text/html")


def _words(body: bytes) -> str:
    """Shopify's own words in an error body (`errors` or `error_description`), else ""."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    found = content.get("errors") or content.get("error_description") if isinstance(content, dict) else None
    return found[:300] if isinstance(found, str) else ""


def _note_version(answer: Answer, call: str) -> None:
    served = answer.headers.get("x-shopify-api-version", API_VERSION)
    if served != API_VERSION:
        # A retired version is answered by another one without any error.
        log.warning("shopify.version_differs", asked=API_VERSION, served=served, call=call)


def _errors(raw: list[GraphError] | dict[str, Any] | str | None) -> list[GraphError]:
    if isinstance(raw, list):
        return raw
    return [GraphError(str(raw))] if raw else []


def _wait(extensions: Extensions | None) -> float:
    """Seconds until the bucket holds what the query costs: (requested − available) / restored per second."""
    cost = extensions.cost if extensions else None
    bucket = cost.throttle_status if cost else None
    if cost is None or bucket is None or cost.requested_query_cost is None or bucket.restore_rate <= 0:
        return DEFAULT_RETRY_AFTER
    return min(max((cost.requested_query_cost - bucket.currently_available) / bucket.restore_rate, 0.1), MAX_WAIT)


def _failure(errors: Sequence[GraphError], call: str, status: int) -> PlatformError:
    if not errors:
        return TransientError("unreadable answer: no data", platform=PLATFORM, call=call, status=status)
    first = errors[0]
    kind = KINDS.get(first.code, Rejected)
    return kind(" ".join(first.message.split())[:300] or first.code, platform=PLATFORM, call=call, status=status)


def _variants(transport: Transport, access: Access, gid: str, after: str | None) -> Connection[VariantNode]:
    reply = query(transport, access, "variants", queries.VARIANTS, {"id": gid, "after": after}, VariantsAnswer)
    return reply.data.product.variants if reply.data.product else _vanished(reply, "variants")


def _lines(transport: Transport, access: Access, gid: str, after: str | None) -> Connection[OrderLineNode]:
    reply = query(transport, access, "order_lines", queries.LINES, {"id": gid, "after": after}, LinesAnswer)
    return reply.data.order.line_items if reply.data.order else _vanished(reply, "order_lines")


def _vanished(reply: Reply[Any], call: str) -> Connection[Any]:
    """A page of nothing: the record was deleted while we paged. One that was only withheld from the answer was not."""
    if reply.gaps:
        raise TransientError("the rest was withheld", platform=PLATFORM, call=call, status=200)
    return Connection(nodes=[], page_info=PageInfo(has_next_page=False))


def _rest(page: Connection[T], call: str, ask: Callable[[str | None], Connection[T]]) -> Iterator[T]:
    """All nodes behind `page`. Raises TransientError where more is announced but no new cursor leads to it."""
    seen: set[str | None] = {None}
    while page.page_info.has_next_page:
        cursor = page.page_info.end_cursor
        if cursor in seen:
            raise TransientError("unreadable answer: its pages lead nowhere", platform=PLATFORM, call=call, status=200)
        seen.add(cursor)
        page = ask(cursor)
        yield from page.nodes
