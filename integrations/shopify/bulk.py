"""
Bulk operations: Shopify writes all records of a kind into a file of JSON lines.

Children (lines, variants, codes) stand on lines of their own, far from their parent and even before it. So the file is first sorted
into parts by parent, on disk, and a part fits into memory: what an export holds in memory does not grow with it. The parts have
no name, so nothing of them is left behind. Nothing is given out before the file is known to be whole.
Source: shopify.dev, "Perform bulk operations", 2026-10.
"""

import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, TypeVar

import msgspec

from connector import decoding
from connector.canonical import Resource
from connector.platforms import Access, Gone, PayloadError, PlatformError, Rejected, TransientError
from connector.reading import Change, Export, Page
from integrations.shopify import queries_bulk as documents
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.discount_nodes import Code, Codes, to_code_state
from integrations.shopify.discount_reads import ListedNode
from integrations.shopify.nodes import CheckoutNode, CustomerNode, Node, OrderNode, ProductNode, gid, numeric_id
from integrations.shopify.payloads import payload_error
from integrations.shopify.reads import to_listed_checkout, to_listed_order, to_product, to_read_customer
from integrations.transport import Transport

PAGE = 250
OBJECTS_IN_A_PART = 5_000
MOST_PARTS = 128
IN_MEMORY = 64 * 1024
"""Bytes of a part that are kept off the disk."""
LONGEST_LINE = 4 * 1024 * 1024
_ROOT, _CHILD = b"=-"
_RUNNING = frozenset({"CREATED", "RUNNING", "CANCELING"})
N = TypeVar("N", bound=Node)


class Operation(Node):
    """A bulk operation; counts are texts."""

    id: str
    status: str
    error_code: str | None = None
    object_count: int | str | None = None
    url: str | None = None


class Started(Node):
    """The payload of `RunBulkQuery`."""

    bulk_operation: Operation | None


class Looked(Node):
    """`BulkOperationNow`."""

    bulk_operation: Operation | None


class Head(msgspec.Struct):
    """What a line of the file says of its place."""

    id: str = ""
    parent: str = msgspec.field(default="", name="__parentId")


class CodeEdge(Node):
    """A code inside its discount."""

    node: Code


class CodeEdges(Node):
    """The codes of a discount, where they stand inside it."""

    edges: list[CodeEdge]


class CodesInside(Node):
    """What of a discount holds them."""

    codes: CodeEdges | None = None


class CodesOwner(Node):
    """The line of a discount."""

    discount: CodesInside


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of record is exported: the text, and how a line with its children becomes a record."""

    text: str
    read: Callable[[bytes, Sequence[bytes]], Change]


def begin(client: Client, access: Access, what: Resource, search: str) -> Export:
    """Start an operation. Raises Rejected if the shop runs too many already."""
    started = client.mutate(access, "export", documents.RUN, {"query": _text(what, search)}, Started, "bulkOperationRunQuery")
    if started.bulk_operation is None:
        raise TransientError("no operation was started", platform=PLATFORM, call="export", status=200)
    return _export(started.bulk_operation)


def look(client: Client, access: Access, platform_id: str) -> Export:
    """How far an operation is. Raises Gone if Shopify does not know it (any more)."""
    reply = client.query(access, "export_look", documents.LOOK, {"id": gid("BulkOperation", platform_id)}, Looked)
    if reply.data.bulk_operation is None:
        if reply.gaps:
            raise TransientError("the operation is not shown", platform=PLATFORM, call="export_look", status=200)
        raise Gone("no such operation", platform=PLATFORM, call="export_look", status=200)
    return _export(reply.data.bulk_operation)


def read(transport: Transport, export: Export, what: Resource, skip: int = 0) -> Iterator[Page]:
    """
    The records of a ready export, at most 250 a page, in no order, but in the same one each time; without the first `skip` pages.

    Raises: Rejected for an export that is not ready; TransientError if the file is cut, expired or holds another number of objects
    than announced: then an export begun anew may help.
    """
    kind = _kind(what)
    if export.state != "ready":
        raise Rejected(f"the export is {export.state}", platform=PLATFORM, call="export_file")
    if export.url is None:
        if export.objects:
            raise _broken("no file was named")
        return
    with ExitStack() as stack:
        parts = [
            stack.enter_context(tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))
            for _ in range(min(MOST_PARTS, 1 + export.objects // OBJECTS_IN_A_PART))
        ]
        found, roots = _sort(_lines(_download(transport, export.url)), parts)
        if found != export.objects:
            raise _broken(f"{found} objects came of {export.objects}")
        for part, number in zip(parts, roots, strict=True):
            pages = -(-number // PAGE)
            if pages > skip:
                yield from _pages(islice(_families(part), skip * PAGE, None), kind)
            skip = max(0, skip - pages)


def mapped(nodes: Iterable[N], to_record: Callable[[N], Any]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The records of some nodes, and those that make no sense as `id: reason`."""
    records, unreadable = [], []
    for node in nodes:
        try:
            records.append(to_record(node))
        except PayloadError as error:
            unreadable.append(f"{numeric_id(str(getattr(node, 'id', '')))}: {error.reason}")
    return tuple(records), tuple(unreadable)


def _text(what: Resource, search: str) -> str:
    """The text of an operation; without a filter the whole argument goes, where nothing else stands in it."""
    # The filter is made of instants and days, nothing that a quote could end.
    text = _kind(what).text
    return (
        text.replace(documents.WORDS, search) if search else text.replace(f'(query: "{documents.WORDS}")', "").replace(documents.WORDS, "")
    )


def _export(operation: Operation) -> Export:
    number, objects = numeric_id(operation.id), int(operation.object_count or 0)
    if operation.status in _RUNNING:
        return Export(number, "running", objects)
    if operation.status == "COMPLETED":
        return Export(number, "ready", objects, operation.url)
    # FAILED, CANCELED, EXPIRED. A part of the data may be had, but a part must not pass for the whole.
    return Export(number, "failed", objects, reason=(operation.error_code or operation.status).lower())


def _download(transport: Transport, url: str) -> Iterator[bytes]:
    """The file. It lies on another host, so no access token goes there."""
    if not url.startswith("https://"):
        raise _broken("the file has no https address")
    try:
        yield from transport.download(PLATFORM, "export_file", url)
    except TransientError:
        raise
    except PlatformError as error:
        # The signature in the address lives for seven days; storage answers 403 or 404 in its own words afterwards.
        raise _broken("the file is not to be had (any more)", error.status) from error


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines end with a line feed and with nothing else: texts may hold other ends of lines."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        if len(rest) > LONGEST_LINE:
            raise _broken("a line without an end")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


def _sort(lines: Iterator[bytes], parts: Sequence[IO[bytes]]) -> tuple[int, list[int]]:
    """
    Put each line into the part of its root, behind a line that says of which and whether it is it (`=`) or its child (`-`).

    Returns how many lines there were, and how many roots in each part.
    """
    decode = decoding.decoder(Head).decode
    count, roots = 0, [0] * len(parts)
    for line in lines:
        head = _decoded(decode, line)
        root = head.parent or head.id
        if not root or "\n" in root:
            raise _broken("a line without an id")
        key = root.encode()
        place = zlib.crc32(key) % len(parts)
        if not head.parent:
            roots[place] += 1
        try:
            parts[place].write(b"%c%b\n%b\n" % (_CHILD if head.parent else _ROOT, key, line))
        except OSError as error:
            raise _broken("no room to sort it") from error
        count += 1
    return count, roots


def _families(part: IO[bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Each root of a part with its children, in the order of the file. Raises TransientError for children without a parent."""
    part.seek(0)
    roots: list[tuple[bytes, bytes]] = []
    children: dict[bytes, list[bytes]] = {}
    for key, line in zip(part, part, strict=True):
        if key[0] == _ROOT:
            roots.append((key[1:], line.strip()))
        else:
            children.setdefault(key[1:], []).append(line.strip())
    if children.keys() - {key for key, _ in roots}:
        raise _broken("children without a parent")
    for key, line in roots:
        yield line, children.get(key, [])


def _pages(families: Iterator[tuple[bytes, list[bytes]]], kind: Kind) -> Iterator[Page]:
    while some := list(islice(families, PAGE)):
        records: list[Change] = []
        unreadable: list[str] = []
        for line, children in some:
            try:
                records.append(kind.read(line, children))
            except PayloadError as error:
                unreadable.append(f"{numeric_id(decoding.decode(line, Head).id)}: {error.reason}")
        yield Page(tuple(records), unreadable=tuple(unreadable))


def _decoded(decode: Callable[[bytes], Any], line: bytes) -> Any:
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken("a line that is no record") from error


def _with(line: bytes, name: str, children: Iterable[bytes]) -> bytes:
    """A line with its children where an answer to an ordinary question has them."""
    inside = b'"%s":{"pageInfo":{"hasNextPage":false},"nodes":[%s]}}' % (name.encode(), b",".join(children))
    return line[: line.rindex(b"}")] + b"," + inside


def _order(line: bytes, children: Sequence[bytes]) -> Change:
    return to_listed_order(_decoded(_ORDER.decode, _with(line, "lineItems", children)))


def _checkout(line: bytes, children: Sequence[bytes]) -> Change:
    return to_listed_checkout(_decoded(_CHECKOUT.decode, _with(line, "lineItems", children)))


def _customer(line: bytes, children: Sequence[bytes]) -> Change:
    return to_read_customer(_decoded(_CUSTOMER.decode, line))


def _product(line: bytes, children: Sequence[bytes]) -> Change:
    variants = [child[: child.rindex(b"}")] + b',"media":{"nodes":[]}}' for child in children]
    return to_product(_decoded(_PRODUCT.decode, _with(line, "variants", variants)))


def _code(line: bytes, children: Sequence[bytes]) -> Change:
    """One of its codes stands for a discount, the first by letter: the file does not tell which is its first."""
    # Whether a connection inside something without an id gets lines of its own is not documented: both forms are read.
    inside = _decoded(_EDGES.decode, line).discount.codes
    found = [edge.node for edge in inside.edges] if inside else [_decoded(_CODE.decode, one) for one in children]
    root = msgspec.json.decode(line)
    root["discount"].pop("codes", None)
    node = _decoded(_LISTED.decode, msgspec.json.encode(root))
    node.discount.codes = Codes(nodes=sorted(found, key=lambda one: one.code)[:1])
    state = to_code_state(node.id, node.discount)
    if state is None:
        raise payload_error("no_code")
    return state


def _kind(what: Resource) -> Kind:
    kind = _KINDS.get(what)
    if kind is None:
        raise Rejected(f"Shopify exports no {what.value}", platform=PLATFORM, call="export")
    return kind


def _broken(why: str, status: int | None = None) -> TransientError:
    return TransientError(f"unreadable export: {why}", platform=PLATFORM, call="export_file", status=status)


_ORDER, _CHECKOUT = decoding.decoder(OrderNode), decoding.decoder(CheckoutNode)
_CUSTOMER, _PRODUCT = decoding.decoder(CustomerNode), decoding.decoder(ProductNode)
_LISTED, _CODE = decoding.decoder(ListedNode), decoding.decoder(Code)
_EDGES = decoding.decoder(CodesOwner)
_KINDS: Mapping[Resource, Kind] = {
    Resource.ORDER: Kind(documents.ORDERS, _order),
    Resource.CHECKOUT: Kind(documents.CHECKOUTS, _checkout),
    Resource.CUSTOMER: Kind(documents.CUSTOMERS, _customer),
    Resource.PRODUCT: Kind(documents.PRODUCTS, _product),
    Resource.DISCOUNT_CODE: Kind(documents.CODES, _code),
}
