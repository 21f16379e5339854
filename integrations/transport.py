"""
The only place that speaks HTTP to other people's servers (with `connecting`, which says where a connection may lead).

Clients are pooled, every wait is finite and so is their sum, errors are mapped to the PlatformError tree, redirects are never
followed. Only https, only on the ports 443 and 8443, only to public addresses; nothing switches the check of certificates off.
In sandbox mode an address map leads named hosts to loopback ports; host header, TLS name and certificate check stay
those of the real name. httpx2 is the living continuation of httpx.
"""

import logging
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import httpx2
import msgspec

from connector import decoding
from connector.metrics import Metrics
from connector.platforms import AccessLost, Gone, NotPermitted, Rejected, ThrottledError, TransientError
from integrations.connecting import is_over, make_transport, until, why_led_astray, why_unreachable, why_untrusted

TIMEOUT = httpx2.Timeout(connect=5.0, read=20.0, write=10.0, pool=10.0)
TOTAL_SECONDS = 30.0
"""From the first attempt to connect to the last byte of the body; a server that drips is cut off here."""
MAX_BODY = 10 * 1024 * 1024
DOWNLOAD_SECONDS = 1800.0
MAX_DOWNLOAD = 8 * 1024 * 1024 * 1024
UNPACKED_PIECE = 256 * 1024
DEFAULT_RETRY_AFTER = 2.0
THROTTLED = "throttled"
T = TypeVar("T")
for _chatty in ("httpx2", "httpcore2"):
    # At lower levels they write down whole addresses, and some hold keys.
    logging.getLogger(_chatty).setLevel(logging.WARNING)


class AddressRefused(Rejected):
    """An address that is never called: no https, another port, a host outside the sandbox."""


class LedAstrayError(TransientError):
    """A name that leads to a private or special address. Nobody was called; it may lead elsewhere another day."""


class UntrustedError(TransientError):
    """The server has no certificate for its name from anybody we trust (`fault`); there is no way to call it all the same."""

    def __init__(self, fault: str, *, platform: str, call: str) -> None:
        super().__init__(f"no answer: the server's certificate is not accepted ({fault})", platform=platform, call=call)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, lower-case headers, raw body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """
    One pooled HTTPS client. Thread-safe; make one per process and close it at the end.

    In a closed world (sandbox mode) hosts that are neither mapped nor on loopback cannot be reached: pretend data never
    leads to a real server.
    """

    def __init__(
        self,
        address_map: Mapping[str, str] | None = None,
        extra_ca: Path | None = None,
        inner: httpx2.BaseTransport | None = None,
        *,
        is_closed_world: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        context = ssl.create_default_context()
        if extra_ca is not None:
            context.load_verify_locations(cafile=str(extra_ca))
        self._client = httpx2.Client(
            transport=make_transport(context, address_map or {}, inner, is_closed_world=is_closed_world),
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            # One client serves many shops for days: what a store sets must not change a later call.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"user-agent": "Connector/0.1", "accept": "application/json", "accept-encoding": "gzip"},
        )

    def close(self) -> None:
        """Close pooled connections."""
        self._client.close()

    def send(
        self,
        platform: str,
        call: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | Iterable[bytes] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """
        Send one request and return whatever was answered, errors included.

        `call` is a short name for logs and errors (no ids, no personal data). Raises TransientError if nothing or only part
        of it came back, within TOTAL_SECONDS and MAX_BODY; Rejected for an address or header that cannot be put on the wire.
        """
        try:
            request = self._client.build_request(method, url, headers=headers, params=params, json=json, content=content)
        except (httpx2.InvalidURL, ValueError) as error:
            raise Rejected(f"cannot be sent: {type(error).__name__}", platform=platform, call=call) from error
        began, outcome = time.monotonic(), "no_answer"
        try:
            with until(began + TOTAL_SECONDS):
                response = self._client.send(request, auth=auth, stream=True)
                try:
                    body = _read(response, platform, call)
                finally:
                    response.close()
        except httpx2.HTTPError as error:
            _fail(error, platform, call)
        else:
            answer = Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
            outcome = _outcome(answer.status)
        finally:
            self._metrics.call_ended(platform, call, outcome, time.monotonic() - began)
        if outcome == THROTTLED:
            self.throttled(platform, call, retry_after(answer))
        return answer

    def download(self, platform: str, call: str, url: str) -> Iterator[bytes]:
        """
        A file, piece by piece as it comes; nothing but the address is sent.

        Of any length, within DOWNLOAD_SECONDS and MAX_DOWNLOAD. Raises what `raise_for_status` says of anything but 2xx, and
        TransientError, also in the middle, if the file does not come to its end.
        """
        try:
            request = self._client.build_request("GET", url, headers={"accept": "*/*"})
        except (httpx2.InvalidURL, ValueError) as error:
            raise Rejected(f"cannot be sent: {type(error).__name__}", platform=platform, call=call) from error
        began, outcome = time.monotonic(), "no_answer"
        # Set for each step and not around the whole: between two pieces other calls may run in this thread.
        end = began + DOWNLOAD_SECONDS
        try:
            with until(end):
                response = self._client.send(request, stream=True)
            try:
                outcome = _outcome(response.status_code)
                if outcome != "ok":
                    with until(end):
                        refused = Answer(response.status_code, dict(response.headers), _read(response, platform, call))
                    raise_for_status(refused, platform=platform, call=call)
                outcome, pieces = "no_answer", _pieces(response, MAX_DOWNLOAD, platform, call)
                while True:
                    with until(end):
                        piece = next(pieces, None)
                    if piece is None:
                        break
                    yield piece
                outcome = "ok"
            finally:
                response.close()
        except httpx2.HTTPError as error:
            _fail(error, platform, call)
        finally:
            self._metrics.call_ended(platform, call, outcome, time.monotonic() - began)

    def throttled(self, platform: str, call: str, seconds: float) -> None:
        """Note that a platform asks us to wait; for those that say so in the body of a good answer."""
        self._metrics.throttled(platform, call, seconds)


def _fail(error: httpx2.HTTPError, platform: str, call: str) -> NoReturn:
    """Raise what a call without an answer means."""
    if never := why_unreachable(error):
        raise AddressRefused(f"cannot be called: {never}", platform=platform, call=call) from error
    if astray := why_led_astray(error):
        raise LedAstrayError(f"cannot be called: {astray}", platform=platform, call=call) from error
    if fault := why_untrusted(error):
        raise UntrustedError(fault, platform=platform, call=call) from error
    raise TransientError(f"no answer: {type(error).__name__}", platform=platform, call=call) from error


def _outcome(status: int) -> str:
    """The word under which an answer is counted."""
    if status in (429, 430):
        return THROTTLED
    return "ok" if 200 <= status < 300 else "refused" if 400 <= status < 500 else "failed"


def raise_for_status(answer: Answer, *, platform: str, call: str, words: str = "") -> None:
    """
    Map an HTTP status to the PlatformError tree; 2xx returns.

    401 -> AccessLost, 402/403/423 -> NotPermitted, 404/410 -> Gone, 429/430 -> ThrottledError, 3xx and 5xx -> TransientError
    (a redirect of an API means maintenance or a moved store; it is followed nowhere and named), the rest -> Rejected with the
    platform's `words`.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    where = {"platform": platform, "call": call, "status": status}
    text = words or f"answered {status}"
    if target := redirect_target(answer):
        text = f"answered {status}: redirects to {target}"
    match status:
        case 401:
            raise AccessLost(text, **where)  # type: ignore[arg-type]
        case 402 | 403 | 423:
            raise NotPermitted(text, **where)  # type: ignore[arg-type]
        case 404 | 410:
            raise Gone(text, **where)  # type: ignore[arg-type]
        case 429 | 430:
            raise ThrottledError(text, platform=platform, call=call, status=status, retry_after=retry_after(answer))
        case _ if status < 400 or status >= 500:
            raise TransientError(text, **where)  # type: ignore[arg-type]
        case _:
            raise Rejected(text, **where)  # type: ignore[arg-type]


def redirect_target(answer: Answer) -> str:
    """Where a redirect leads, without what may be secret in it (user, query, fragment); "" if it leads nowhere that can be read."""
    location = answer.headers.get("location", "").strip()
    if not 300 <= answer.status < 400 or not location.isascii() or not location.isprintable():
        return ""
    try:
        parts = urlsplit(location)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}{parts.path}"[:200] if host and parts.scheme in ("http", "https") else parts.path[:200]


def retry_after(answer: Answer) -> float:
    """Seconds the platform asks us to wait; decimals occur (`"2.0"`), dates and nonsense count as the default."""
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        return DEFAULT_RETRY_AFTER
    return min(max(seconds, 0.0), 3600.0) if seconds == seconds else DEFAULT_RETRY_AFTER


def decode(answer: Answer, shape: type[T], *, platform: str, call: str) -> T:
    """Decode a JSON answer into a msgspec shape. Raises TransientError for HTML, truncated, misshapen or endlessly nested answers."""
    try:
        return decoding.decode(answer.body, shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(f"unreadable answer: {error}", platform=platform, call=call, status=answer.status) from error


def _read(response: httpx2.Response, platform: str, call: str) -> bytes:
    """The whole body, unpacked. A store that drips or floods is stopped here."""
    return b"".join(_pieces(response, MAX_BODY, platform, call))


def _pieces(response: httpx2.Response, most: int, platform: str, call: str) -> Iterator[bytes]:
    """
    A body of at most so many bytes, piece by piece. Raises TransientError for one that is too long, too slow, cut or packed oddly.

    Unpacked by ourselves, because a library would unpack a small piece into gigabytes before anybody can count them.
    """

    def broken(fault: str) -> TransientError:
        return TransientError(fault, platform=platform, call=call, status=response.status_code)

    coding = response.headers.get("content-encoding", "identity").strip().lower()
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS) if coding in ("gzip", "x-gzip") else None
    if unpacker is None and coding not in ("identity", ""):
        raise broken("the answer is packed as nobody asked")
    assert isinstance(response.stream, httpx2.SyncByteStream)
    length = 0
    try:
        for chunk in response.stream:
            for piece in _unpacked(unpacker, chunk):
                length += len(piece)
                if length > most or is_over():
                    raise broken("the answer is too long or too slow")
                yield piece
    except zlib.error as error:
        raise broken("the answer cannot be unpacked") from error
    if unpacker and length and not unpacker.eof:
        raise broken("the answer stops in its middle")


def _unpacked(unpacker: "zlib._Decompress | None", chunk: bytes) -> Iterator[bytes]:
    """What a chunk holds, never more at once than fits into memory."""
    if unpacker is None:
        yield chunk
        return
    while chunk:
        yield unpacker.decompress(chunk, UNPACKED_PIECE)
        chunk = unpacker.unconsumed_tail
