"""
What a GraphQL answer of the Admin API holds beside its data, and what its errors and statuses mean to a caller.

GraphQL reports most failures inside an HTTP 200, sometimes beside usable data. Source: shopify.dev, "Status and error codes",
"Rate limits", 2026-10.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connector.platforms import AccessLost, NotPermitted, PlatformError, Rejected, ShopClosed, TransientError
from integrations.transport import DEFAULT_RETRY_AFTER, Answer, raise_for_status

PLATFORM = "shopify"
MAX_WAIT = 60.0
FROZEN = (402, 423)
"""What a shop answers that Shopify has frozen or locked, as for unpaid bills."""


class TooDear(Rejected):
    """A query that costs more than one query may; nothing was read."""


LOOKED_AT = 2_000
"""So much of a text is looked through for what must not be kept."""
_PRIVATE = re.compile(r"\S+@\S+|\bshp[a-z]{2}_\w+")
KINDS: Mapping[str, type[NotPermitted] | type[TransientError] | type[Rejected]] = {
    "ACCESS_DENIED": NotPermitted,
    "SHOP_INACTIVE": ShopClosed,
    "INTERNAL_SERVER_ERROR": TransientError,
    "TIMEOUT": TransientError,
    "MAX_COST_EXCEEDED": TooDear,
}


class UserErrors(Rejected):
    """
    A mutation that Shopify refused; nothing was done. `codes` and `fields` say why, as far as Shopify tells: both may be empty.

    Match on `codes`, never on the words: one code has several texts.
    """

    def __init__(self, message: str, *, call: str, codes: Sequence[str] = (), fields: Sequence[str] = ()) -> None:
        super().__init__(message, platform=PLATFORM, call=call, status=200)
        self.codes = tuple(codes)
        self.fields = tuple(fields)


class GraphError(msgspec.Struct):
    """One entry of `errors`; its code is what counts, its words are for people."""

    message: str = ""
    extensions: dict[str, Any] | None = None
    path: list[str | int] | None = None

    @property
    def code(self) -> str:
        """`THROTTLED`, `ACCESS_DENIED` …, or "" if Shopify gives none."""
        return str((self.extensions or {}).get("code", ""))

    @property
    def place(self) -> str:
        """Where in the data something is missing: its path, else the code, else `unnamed`."""
        return ".".join(map(str, self.path or ())) or self.code or "unnamed"


class ThrottleStatus(msgspec.Struct, rename="camel"):
    """The bucket of points of this app in this shop. `maximum_available` is reported, not promised; 0: not told."""

    maximum_available: float = 0.0
    currently_available: float = 0.0
    restore_rate: float = 0.0


class Cost(msgspec.Struct, rename="camel"):
    """What a query was reckoned to cost, and what it did cost (null if it was not run)."""

    requested_query_cost: float | None = None
    actual_query_cost: float | None = None
    throttle_status: ThrottleStatus | None = None


class Extensions(msgspec.Struct):
    """Beside the data: the cost."""

    cost: Cost | None = None


class Envelope(msgspec.Struct):
    """A GraphQL answer. `errors` is a list in a 200, a text or an object in other answers; `data` is read after them."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[GraphError] | dict[str, Any] | str | None = None
    extensions: Extensions | None = None

    @property
    def faults(self) -> list[GraphError]:
        """The errors as a list, whatever form they came in."""
        if isinstance(self.errors, list):
            return self.errors
        return [GraphError(str(self.errors))] if self.errors else []

    @property
    def cost(self) -> Cost | None:
        """The cost, if the answer tells it."""
        return self.extensions.cost if self.extensions else None


class UserError(msgspec.Struct):
    """Why a mutation was refused; in some payloads, and at times in all, without field or code."""

    message: str = ""
    field: list[str] | None = None
    code: str | None = None


class Outcome(msgspec.Struct, rename="camel"):
    """The payload of any mutation. Every document of ours asks for its userErrors: a payload without them is no answer."""

    user_errors: list[UserError]


def wait_for(cost: Cost | None) -> float:
    """Seconds until the bucket holds what the query costs: (requested − available) / restored per second."""
    bucket = cost.throttle_status if cost else None
    if cost is None or bucket is None or cost.requested_query_cost is None or bucket.restore_rate <= 0:
        return DEFAULT_RETRY_AFTER
    return min(max((cost.requested_query_cost - bucket.currently_available) / bucket.restore_rate, 0.1), MAX_WAIT)


def failure(errors: Sequence[GraphError], call: str, status: int) -> PlatformError:
    """The error of an answer without usable data: what Shopify says of it decides, else the answer was mangled."""
    if not errors:
        return TransientError("unreadable answer: no data", platform=PLATFORM, call=call, status=status)
    first = errors[0]
    kind = KINDS.get(first.code, Rejected)
    return kind(_without_secrets(one_line(first.message)) or first.code, platform=PLATFORM, call=call, status=status)


def refusal(errors: Sequence[UserError], call: str) -> UserErrors:
    """The error of a mutation that was refused."""
    words = "; ".join(dict.fromkeys(word for error in errors if (word := one_line(error.message))))
    codes = dict.fromkeys(error.code for error in errors if error.code)
    fields = dict.fromkeys(".".join(error.field) for error in errors if error.field)
    return UserErrors(words[:300] or "refused without a reason", call=call, codes=tuple(codes), fields=tuple(fields))


def check_status(answer: Answer, call: str) -> None:
    """
    Map an HTTP status to the error tree, where Shopify's own words say more.

    A page where JSON belongs comes from Shopify's edge or from something in between: it says nothing of our rights or records.
    """
    if answer.status in (400, 401, 403, 404) and is_page(answer):
        raise TransientError(f"answered {answer.status} with a page", platform=PLATFORM, call=call, status=answer.status)
    if answer.status < 400:
        raise_for_status(answer, platform=PLATFORM, call=call)
        return
    words = _words(answer.body)
    if answer.status in FROZEN:
        raise ShopClosed(words or "the shop is frozen", platform=PLATFORM, call=call, status=answer.status)
    if answer.status == 403 and "non-expiring access token" in words.lower():
        # Not a missing scope: this kind of token is dead for good.
        raise AccessLost(words, platform=PLATFORM, call=call, status=403)
    raise_for_status(answer, platform=PLATFORM, call=call, words=words)


def is_page(answer: Answer) -> bool:
    """True for a page where JSON belongs."""
    return answer.headers.get("content-type", "").strip().lower().startswith("text/html")


def one_line(words: str) -> str:
    """Shopify's words on one line, not longer than fits a log."""
    return " ".join(words.split())[:300]


def _words(body: bytes) -> str:
    """Shopify's own words in an error body (`errors` or `error_description`), else ""."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    found = content.get("errors") or content.get("error_description") if isinstance(content, dict) else None
    return _without_secrets(found[:LOOKED_AT])[:300] if isinstance(found, str) else ""


def _without_secrets(words: str) -> str:
    """Shopify's words are kept and shown to support: without addresses of people, and without tokens."""
    return _PRIVATE.sub("…", words)
