"""
Calls to one store's REST API v3: one function per call, typed answers, only PlatformError.

Keys go as HTTP Basic over https; WooCommerce ignores them over plain http and on `?rest_route=` addresses.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from connector.platforms import Access, AccessLost, NotPermitted, Rejected, TransientError
from integrations.transport import Answer, Transport, decode, raise_for_status
from integrations.woocommerce.payloads import PLATFORM, ErrorBody, Setting, SiteIndex, SystemStatus, WebhookBody

PAGE_SIZE = 100
"""WooCommerce's own maximum; 101 is answered 400."""
MAX_PAGES = 10_000
PAGE_STATUSES = (400, 401, 403, 404, 405, 406, 408, 410)
"""With one of these a body that is not WooCommerce's is a page of a firewall, a proxy, a password wall or the host."""
_OWN = "woocommerce_rest_"
_EMAIL = re.compile(r"\S+@\S+")
# English words of core; the text is translated with the site, the code is the same as for a wrong secret.
_SCOPE_WORDS = ("write permissions", "read permissions")


class Record(msgspec.Struct):
    """What every record has; anything else is no answer to our question."""

    id: Any


@dataclass(frozen=True, slots=True)
class Call:
    """One store as its functions need it: the transport and the opened access."""

    transport: Transport
    access: Access


def read_status(call: Call) -> SystemStatus:
    """Version, addresses, language and currency; needs keys that may read and an owner who manages the shop."""
    answer = _get(call, "system_status", "wc/v3/system_status", {"_fields": "environment,settings"})
    return decode(answer, SystemStatus, platform=PLATFORM, call="system_status")


def read_index(call: Call) -> SiteIndex:
    """The site's name, addresses and time zone. Raises TransientError for an index that names no address: WordPress always does."""
    answer = _get(call, "index", "", {"_fields": "name,url,home,timezone_string,gmt_offset"})
    index = decode(answer, SiteIndex, platform=PLATFORM, call="index")
    if not index.url and not index.home:
        raise TransientError("unreadable answer: the index names no address", platform=PLATFORM, call="index", status=answer.status)
    return index


def read_settings(call: Call, group: str) -> dict[str, str]:
    """One group of settings (`general`, `tax`, `email`), id to value; values that are no text are left out."""
    answer = _get(call, f"settings_{group}", f"wc/v3/settings/{group}", {"_fields": "id,value", "per_page": str(PAGE_SIZE)})
    settings = decode(answer, list[Setting], platform=PLATFORM, call=f"settings_{group}")
    return {setting.id: setting.value for setting in settings if isinstance(setting.value, str)}


def read_products(call: Call, ids: Sequence[str]) -> tuple[list[msgspec.Raw], datetime | None]:
    """The products among `ids` that exist outside the bin, and the store's own time of the answer."""
    params = {"include": ",".join(ids), "per_page": str(PAGE_SIZE), "status": "any"}
    answer = _get(call, "products", "wc/v3/products", params)
    return _records(answer, "products"), _answered_at(answer)


def read_orders(call: Call, modified_after: datetime, page: int) -> list[msgspec.Raw]:
    """
    One page of orders changed after an instant (strictly, in whole seconds), oldest change first, drafts included.

    The time goes as UTC without a zone plus `dates_are_gmt`: with a Z beside that flag, stores east of UTC miss orders.
    """
    params = {
        "modified_after": modified_after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "per_page": str(PAGE_SIZE),
        "page": str(page),
    }
    return _records(_get(call, "orders", "wc/v3/orders", params), "orders")


def list_webhooks(call: Call) -> list[WebhookBody]:
    """Every webhook of the store, whoever made it."""
    found: list[WebhookBody] = []
    for page in range(1, MAX_PAGES):
        answer = _get(call, "webhooks", "wc/v3/webhooks", {"per_page": str(PAGE_SIZE), "page": str(page), "orderby": "id", "order": "asc"})
        part = decode(answer, list[WebhookBody], platform=PLATFORM, call="webhooks")
        found += part
        if len(part) < PAGE_SIZE:
            break
    return found


def create_webhook(call: Call, topic: str, address: str, secret: str) -> WebhookBody:
    """Make one active webhook; the store pings `address` before it answers."""
    body = {"name": f"Connector {topic}", "topic": topic, "delivery_url": address, "secret": secret, "status": "active"}
    answer = _send(call, "create_webhook", "POST", "wc/v3/webhooks", json=body)
    return decode(answer, WebhookBody, platform=PLATFORM, call="create_webhook")


def delete_webhook(call: Call, number: int) -> None:
    """Delete one webhook for good (webhooks know no bin). Raises Gone if it is not there."""
    answer = _send(call, "delete_webhook", "DELETE", f"wc/v3/webhooks/{number}", params={"force": "true"})
    # The store shows what it deleted; a maintenance page with a 200 has deleted nothing.
    decode(answer, Record, platform=PLATFORM, call="delete_webhook")


def _records(answer: Answer, call: str) -> list[msgspec.Raw]:
    """
    The records of a list, each still to be read; single ones may make no sense.

    Raises TransientError for a list of something else: it must not be taken for one in which nothing of ours is found.
    """
    records = decode(answer, list[Record], platform=PLATFORM, call=call)
    if records and not any(isinstance(record.id, int) for record in records):
        raise TransientError("unreadable answer: nothing in it has a number", platform=PLATFORM, call=call, status=answer.status)
    return decode(answer, list[msgspec.Raw], platform=PLATFORM, call=call)


def _get(call: Call, name: str, path: str, params: Mapping[str, str]) -> Answer:
    return _send(call, name, "GET", path, params=params)


def _send(call: Call, name: str, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None) -> Answer:
    keys = call.access.credentials
    if not keys.get("consumer_key") or not keys.get("consumer_secret"):
        raise AccessLost("no keys are kept for this store", platform=PLATFORM, call=name)
    auth = (keys["consumer_key"], keys["consumer_secret"])
    url = f"https://{call.access.domain}/wp-json/{path}"
    answer = call.transport.send(PLATFORM, name, method, url, params=params, json=json, auth=auth)
    _check(answer, name)
    return answer


def _check(answer: Answer, call: str) -> None:
    """
    Map what WooCommerce answers to the error tree, where its own code says more than the HTTP status.

    A page instead of JSON with a status of PAGE_STATUSES comes from a firewall, a proxy or a password wall, and `rest_no_route`
    from a store whose WooCommerce is off or being updated: none of these says anything of our record or our keys, so they are
    transient. Only WooCommerce itself can say that the keys are dead; a 401 in the words of a plugin withholds, as its 403 does.
    """
    if 200 <= answer.status < 300:
        return
    error = _error(answer)
    words = _EMAIL.sub("…", f"{error.code}: {error.message}")[:300] if error else ""
    if answer.status == 401 and error and any(part in error.message for part in _SCOPE_WORDS):
        raise NotPermitted(words, platform=PLATFORM, call=call, status=401)
    if answer.status == 403 and error and str(error.code).startswith(f"{_OWN}cannot_"):
        raise AccessLost(f"the keys' owner lost the right: {words}", platform=PLATFORM, call=call, status=403)
    if answer.status == 401 and error and not str(error.code).startswith(_OWN):
        raise NotPermitted(words, platform=PLATFORM, call=call, status=401)
    if answer.status in PAGE_STATUSES and error is None:
        raise TransientError(f"answered {answer.status} without WooCommerce's words", platform=PLATFORM, call=call, status=answer.status)
    if error and error.code == "rest_no_route":
        raise TransientError(words, platform=PLATFORM, call=call, status=answer.status)
    if answer.status == 501 and error:
        raise Rejected(words, platform=PLATFORM, call=call, status=501)
    raise_for_status(answer, platform=PLATFORM, call=call, words=words)


def _error(answer: Answer) -> ErrorBody | None:
    try:
        return msgspec.json.decode(answer.body, type=ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _answered_at(answer: Answer) -> datetime | None:
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
