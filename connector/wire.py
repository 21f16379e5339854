"""
What two processes of ours say to each other when one reads a store for the other: a listing, then pages, then an end or an error.

A frame is its length in bytes (four of them, big-endian) and as many bytes of MessagePack. Both ends are of the same version: one
started the other.
"""

import socket
import struct
from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from typing import IO, Any

import msgspec

from connector import platform_errors as errors
from connector.asked import Access, Listing
from connector.canonical import Checkout, Customer, Order, Product, Removed
from connector.codes import CodeState
from connector.reading import Change, Page

_LENGTH = struct.Struct(">I")
_KINDS: dict[str, type[Change]] = {kind.__name__: kind for kind in (Checkout, Customer, Order, Product, CodeState)}
_CALL = ("platform", "call", "status")
_ERRORS: dict[type[errors.PlatformError], tuple[str, ...]] = {
    **dict.fromkeys((errors.PlatformError, errors.TransientError, errors.AccessLost, errors.NotPermitted), _CALL),
    **dict.fromkeys((errors.ShopClosed, errors.Rejected, errors.Gone), _CALL),
    errors.ThrottledError: (*_CALL, "retry_after"),
    errors.PayloadError: ("platform", "reason"),
    errors.OtherSite: ("platform", "host"),
}
"""What each kind of error is made of, beside its words; subclasses travel as the nearest of these."""
_NAMED = {kind.__name__: kind for kind in _ERRORS}


class BrokenReading(Exception):
    """The other process met something that is no platform's error: its name. The log says more."""


class Network(msgspec.Struct, frozen=True):
    """Where a process that reads may go: hosts that lead to loopback, one more certificate authority, and whether there is more."""

    address_map: dict[str, str]
    extra_ca: str | None
    is_closed_world: bool


class Request(msgspec.Struct, frozen=True):
    """One listing of one store; `clock_offset`: how far our clock is from the system's, which it is in sandbox mode only."""

    platform: str
    access: Access
    listing: Listing
    clock_offset: timedelta = timedelta()


class CallEnded(msgspec.Struct, frozen=True, array_like=True):
    """A call of the other process, to be counted with ours. `is_throttled`: that it was told to wait, and for so many seconds."""

    platform: str
    call: str
    outcome: str
    seconds: float
    is_throttled: bool = False


class PageBrought(msgspec.Struct, frozen=True, tag="page"):
    """A page: its records in runs of one kind, each encoded by itself."""

    runs: list[tuple[str, msgspec.Raw]]
    cursor: str | None
    unreadable: tuple[str, ...]
    withheld: tuple[str, ...]
    gone: tuple[Removed, ...]
    calls: list[CallEnded]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The reading ended with an error: its kind, its words and what else it told. A kind that is unknown here is no platform's."""

    kind: str
    words: str
    told: dict[str, str | float | int | None]
    calls: list[CallEnded]


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """There are no more pages."""

    calls: list[CallEnded]


Answer = PageBrought | Failed | Ended


_encoder = msgspec.msgpack.Encoder()
_answers = msgspec.msgpack.Decoder(Answer)
_records: dict[str, msgspec.msgpack.Decoder[tuple[Change, ...]]] = {
    name: msgspec.msgpack.Decoder(tuple[kind, ...])  # type: ignore[valid-type] # known at run time
    for name, kind in _KINDS.items()
}
_networks, _requests = msgspec.msgpack.Decoder(Network), msgspec.msgpack.Decoder(Request)


def send(line: socket.socket, message: Network | Request | Answer) -> None:
    """Send one frame. Raises OSError if nobody reads it any more."""
    body = _encoder.encode(message)
    line.sendall(_LENGTH.pack(len(body)) + body)


def receive_network(line: socket.socket) -> Network:
    """The first frame of all, and not a byte more: what follows comes with the ends of other sockets. Raises EOFError."""
    (length,) = _LENGTH.unpack(_received(line, _LENGTH.size))
    return _networks.decode(_received(line, length))


def read_request(stream: IO[bytes]) -> Request:
    """What is wanted. Raises EOFError if nothing is."""
    return _requests.decode(_frame(stream))


def read_answers(stream: IO[bytes]) -> Iterator[Answer]:
    """What came of it, to its end. Raises EOFError if the other process ended before."""
    while True:
        answer = _answers.decode(_frame(stream))
        yield answer
        if not isinstance(answer, PageBrought):
            return


def to_brought(page: Page, calls: list[CallEnded]) -> PageBrought:
    """A page as it is sent."""
    runs = [(kind.__name__, msgspec.Raw(_encoder.encode(list(run)))) for kind, run in groupby(page.records, type)]
    return PageBrought(runs, page.cursor, page.unreadable, page.withheld, page.gone, calls)


def to_page(brought: PageBrought) -> Page:
    """A page as it was before it was sent."""
    runs = [_records[name].decode(raw) for name, raw in brought.runs]
    records = runs[0] if len(runs) == 1 else tuple(record for run in runs for record in run)
    return Page(records, brought.cursor, brought.unreadable, brought.withheld, brought.gone)


def to_failed(error: BaseException, calls: list[CallEnded]) -> Failed:
    """An error as it is sent: what its nearest kind known here tells. Of what is no platform's error only its name, never its words."""
    kind = next((one for one in type(error).__mro__ if one in _ERRORS), None)
    if kind is None:
        return Failed(type(error).__name__, "", {}, calls)
    return Failed(kind.__name__, str(error), {name: getattr(error, name) for name in _ERRORS[kind]}, calls)


def is_known(failed: Failed) -> bool:
    """Whether it was a platform's error."""
    return failed.kind in _NAMED


def to_error(failed: Failed) -> Exception:
    """The error that it was; BrokenReading for what was no platform's."""
    kind = _NAMED.get(failed.kind)
    if kind is None:
        return BrokenReading(failed.kind)
    told: dict[str, Any] = dict(failed.told)
    return kind(failed.words, **told)


def _frame(stream: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(_whole(stream, _LENGTH.size))
    return _whole(stream, length)


def _received(line: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        piece = line.recv(length - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


def _whole(stream: IO[bytes], length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise EOFError
    return found
