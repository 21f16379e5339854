"""Calls to one store's REST API v3: one function per call, typed answers, only PlatformError."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from connector import decoding
from connector.platforms import Rejected, TransientError
from integrations.transport import Answer, decode
from integrations.woocommerce.calling import Call, send
from integrations.woocommerce.payloads import PLATFORM, ErrorBody, Setting, SiteIndex, SystemStatus, WebhookBody

PAGE_SIZE = 100
"""WooCommerce's own maximum, of pages and of batches; 101 is answered 400 and 413."""
MAX_PAGES = 10_000


class Record(msgspec.Struct):
    """What every record has; anything else is no answer to our question."""

    id: Any


class Head(msgspec.Struct):
    """By what a record is found in a list: its names and its times, which a plugin may have made anything of."""

    id: Any = None
    token: Any = None
    date_created_gmt: Any = None
    date_modified: Any = None
    date_modified_gmt: Any = None
    updated_at: Any = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list, each record still to be read. `pages` and `total`: of the whole list, where the store tells."""

    records: list[msgspec.Raw]
    ids: list[str]
    heads: list[Head]
    pages: int | None = None
    total: int | None = None
    answered_at: datetime | None = None


class BatchOutcome(msgspec.Struct, frozen=True):
    """What became of one record of a batch: its number (of one that was not made, 0) and the store's error, None if it was done."""

    id: int | str = 0
    error: ErrorBody | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch, in the order asked: each outcome with the record's JSON."""

    create: list[tuple[BatchOutcome, msgspec.Raw]]
    update: list[tuple[BatchOutcome, msgspec.Raw]]
    delete: list[tuple[BatchOutcome, msgspec.Raw]]


class _BatchAnswer(msgspec.Struct):
    create: list[msgspec.Raw] = []
    update: list[msgspec.Raw] = []
    delete: list[msgspec.Raw] = []


def list_records(call: Call, name: str, path: str, params: Mapping[str, str], key: str = "id") -> Listed:
    """
    One page of a list below /wp-json/ ("wc/v3/orders"); `ids` are what `key` says of each record, "" where that is no name.

    Raises TransientError for a list of something else.
    """
    answer = send(call, name, "GET", path, params=params)
    records, ids, heads = _records(answer, name, key)
    pages, total = _number(answer, "x-wp-totalpages"), _number(answer, "x-wp-total")
    return Listed(records, ids, heads, pages, total, _answered_at(answer))


def read_record(call: Call, name: str, path: str, params: Mapping[str, str] | None = None) -> bytes:
    """One record as JSON. Raises Gone if there is none, TransientError for an answer that is no record."""
    answer = send(call, name, "GET", path, params=params)
    if not isinstance(decode(answer, Record, platform=PLATFORM, call=name).id, int | str):
        raise TransientError("unreadable answer: a record without a number", platform=PLATFORM, call=name, status=answer.status)
    return answer.body


def count_records(call: Call, name: str, path: str, params: Mapping[str, str]) -> int:
    """How many records a list holds, by its header. Raises TransientError if something on the way took that off."""
    answer = send(call, name, "GET", path, params={**params, "per_page": "1", "page": "1", "_fields": "id"})
    _records(answer, name)
    total = _number(answer, "x-wp-total")
    if total is None:
        raise TransientError("unreadable answer: the store does not say how many there are", platform=PLATFORM, call=name)
    return total


def batch(
    call: Call,
    what: str,
    *,
    create: Sequence[Mapping[str, Any]] = (),
    update: Sequence[Mapping[str, Any]] = (),
    delete: Sequence[int] = (),
) -> Batch:
    """
    Make, change and delete records of one kind ("coupons"), at most 100 together. A record that is refused does not stop the others.

    Deleted records do not go to the bin. Raises TransientError, also if the answer does not tell of each of them: then only a look
    tells what was done.
    """
    asked: dict[str, list[Any]] = {"create": list(create), "update": list(update), "delete": list(delete)}
    name = f"{what}_batch"
    if len(create) + len(update) + len(delete) > PAGE_SIZE:
        raise Rejected(f"at most {PAGE_SIZE} in one batch", platform=PLATFORM, call=name)
    answer = send(call, name, "POST", f"wc/v3/{what}/batch", json={part: things for part, things in asked.items() if things})
    told = decode(answer, _BatchAnswer, platform=PLATFORM, call=name)
    parts = [(told.create, len(create)), (told.update, len(update)), (told.delete, len(delete))]
    if any(len(outcomes) != number for outcomes, number in parts):
        raise TransientError("unreadable answer: not every record is in it", platform=PLATFORM, call=name, status=answer.status)
    return Batch(*([(_outcome(raw, name), raw) for raw in outcomes] for outcomes, _ in parts))


def read_status(call: Call) -> SystemStatus:
    """Version, addresses, language and currency; needs keys that may read and an owner who manages the shop."""
    # For the whole of `environment` a store first calls two servers of others, and waits up to ten seconds for each.
    fields = "environment.home_url,environment.site_url,environment.version,environment.language,settings"
    answer = _get(call, "system_status", "wc/v3/system_status", {"_fields": fields})
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
    answer = send(call, "create_webhook", "POST", "wc/v3/webhooks", json=body)
    return decode(answer, WebhookBody, platform=PLATFORM, call="create_webhook")


def delete_webhook(call: Call, number: int) -> None:
    """Delete one webhook for good (webhooks know no bin). Raises Gone if it is not there."""
    answer = send(call, "delete_webhook", "DELETE", f"wc/v3/webhooks/{number}", params={"force": "true"})
    # The store shows what it deleted; a maintenance page with a 200 has deleted nothing.
    decode(answer, Record, platform=PLATFORM, call="delete_webhook")


def _records(answer: Answer, call: str, key: str = "id") -> tuple[list[msgspec.Raw], list[str], list[Head]]:
    """
    The records of a list, each still to be read, their names and heads; single ones may make no sense.

    Raises TransientError for a list of something else: it must not be taken for one in which nothing of ours is found.
    """
    heads = decode(answer, list[Head], platform=PLATFORM, call=call)
    ids = [_name(getattr(head, key), is_number=key == "id") for head in heads]
    if heads and not any(ids):
        raise TransientError("unreadable answer: nothing in it has a name", platform=PLATFORM, call=call, status=answer.status)
    return decode(answer, list[msgspec.Raw], platform=PLATFORM, call=call), ids, heads


def _name(told: Any, *, is_number: bool) -> str:
    if is_number:
        return str(told) if isinstance(told, int) and not isinstance(told, bool) and told > 0 else ""
    return told if isinstance(told, str) else ""


def _outcome(raw: msgspec.Raw, call: str) -> BatchOutcome:
    try:
        return decoding.decode(raw, BatchOutcome)
    except msgspec.DecodeError as error:
        raise TransientError(f"unreadable answer: {error}", platform=PLATFORM, call=call) from error


def _get(call: Call, name: str, path: str, params: Mapping[str, str]) -> Answer:
    return send(call, name, "GET", path, params=params)


def _number(answer: Answer, header: str) -> int | None:
    told = answer.headers.get(header, "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 16 else None


def _answered_at(answer: Answer) -> datetime | None:
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
