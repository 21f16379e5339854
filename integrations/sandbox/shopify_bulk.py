"""
Bulk operations of the pretend Shopify: started by a mutation, watched by polling, their file fetched under a signed address.

Children stand on lines of their own, in any order, with `__parentId`. Source: shopify.dev, "Perform bulk operations", 2026-10.
"""

import hashlib
import hmac
import json
import random
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
Hook = Callable[[str, Json], None]
AT_ONCE = 5
URL_LIFE = timedelta(days=7)
FOLDER = "/bulk-operation-files"
_ROOT = re.compile(r"\{\s*(?:\w+\s*:\s*)?(\w+)")
"""The first field of a query."""
RUNNING = frozenset({"CREATED", "RUNNING", "CANCELING"})


class Denied(Exception):
    """What the query asks for may not be seen."""


class BulkFault(StrEnum):
    """One way in which an operation ends badly."""

    CUT = "cut"
    """The file ends in the middle of a line."""
    PARTIAL = "partial"
    """Whole lines are missing from the file."""
    MISCOUNT = "miscount"
    """More objects are announced than the file has."""
    EXPIRED = "expired"
    """The address of the file has expired."""
    FAILED = "failed"
    """The operation fails and leaves a part under `partialDataUrl`."""


@dataclass(slots=True)
class BulkOperation:
    """
    One operation. `lines` gives its objects, each with its id; a root object has no `__parentId`.

    `is_grouped`: children follow their parent in the file. `lines` may raise Denied.
    """

    id: int
    query: str
    created_at: datetime
    lines: Callable[[], Sequence[Json]]
    is_grouped: bool = False
    status: str = "CREATED"
    fault: BulkFault | None = None
    error_code: str | None = None
    completed_at: datetime | None = None
    looks: int = 0
    objects: int = 0
    roots: int = 0
    url: str | None = None
    partial_url: str | None = None
    file: bytes = field(default=b"", repr=False)
    expires_at: datetime | None = None

    @property
    def gid(self) -> str:
        """As the API and webhooks name it."""
        return f"gid://shopify/BulkOperation/{self.id}"

    @property
    def is_running(self) -> bool:
        """True until it has ended in any way."""
        return self.status in RUNNING


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A file, how many objects it holds, and how many of them are roots."""

    file: bytes
    objects: int
    roots: int


class BulkJobs:
    """
    The operations of one app in the shop. The caller holds the shop's lock.

    `looks_needed`: it is done when somebody looks for the n-th time; None: not before finish(). `on_finish` gets the topic and body
    of the webhook. `tokens_seen`: requests for a file that carried an access token, which is Shopify's and not the file host's.
    """

    def __init__(self, now: Callable[[], datetime], numbers: Iterator[int], origin: str, seed: int = 0) -> None:
        self.looks_needed: int | None = 2
        self.on_finish: Hook | None = None
        self.tokens_seen = 0
        self._now = now
        self._numbers = numbers
        self._origin = origin
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._key = secrets.token_bytes(16)
        self._rows: dict[int, BulkOperation] = {}
        self._faults: deque[BulkFault] = deque()
        self._prepared: dict[str, _Prepared] = {}

    def __iter__(self) -> Iterator[BulkOperation]:
        return iter(list(self._rows.values()))

    def prepare(self, root: str, file: bytes) -> None:
        """
        From now on an operation over this root (`orders`, `customers` …) writes this file, as it is: a large store at once.

        Each line is an object that ends with a line feed; its children name their parent.
        """
        objects = file.count(b"\n")
        self._prepared[root] = _Prepared(file, objects, objects - file.count(b'"__parentId":'))

    def spoil_next(self, fault: BulkFault, times: int = 1) -> None:
        """The next operations end like this."""
        self._faults.extend([fault] * times)

    @property
    def is_full(self) -> bool:
        """True while no further one may be started."""
        return sum(1 for one in self._rows.values() if one.is_running) >= AT_ONCE

    def run(self, query: str, lines: Callable[[], Sequence[Json]], is_grouped: bool = False) -> BulkOperation:
        """Start one."""
        one = BulkOperation(next(self._numbers), query, self._now(), lines, is_grouped)
        one.fault = self._faults.popleft() if self._faults else None
        self._rows[one.id] = one
        return one

    def look(self, number: int) -> BulkOperation | None:
        """One as it is now; looking brings it forward."""
        one = self._rows.get(number)
        if one is None or not one.is_running:
            return one
        one.looks += 1
        if one.status == "CANCELING":
            one.status, one.completed_at = "CANCELED", self._now()
            self._tell(one)
        elif self.looks_needed is not None and one.looks >= self.looks_needed:
            self.finish(number)
        else:
            one.status = "RUNNING"
        return one

    def cancel(self, number: int) -> BulkOperation | None:
        """Ask one to stop; it has stopped when it is looked at again."""
        one = self._rows.get(number)
        if one is not None and one.is_running:
            one.status = "CANCELING"
        return one

    def finish(self, number: int) -> None:
        """Write the file, in disorder unless grouped. Sends bulk_operations/finish."""
        one = self._rows[number]
        try:
            whole = self._written(one)
        except Denied:
            one.status, one.error_code, one.completed_at = "FAILED", "ACCESS_DENIED", self._now()
            self._tell(one)
            return
        one.file, one.roots = whole.file, whole.roots
        one.objects = whole.objects + (one.fault is BulkFault.MISCOUNT)
        if one.fault in (BulkFault.PARTIAL, BulkFault.FAILED):
            one.file = b"".join(whole.file.splitlines(keepends=True)[: whole.objects // 2])
        if one.fault is BulkFault.CUT:
            one.file = one.file[: len(one.file) // 2]
        one.completed_at = self._now()
        one.expires_at = one.completed_at + (timedelta(0) if one.fault is BulkFault.EXPIRED else URL_LIFE)
        url = self._sign(one) if whole.objects else None
        if one.fault is BulkFault.FAILED:
            one.status, one.error_code, one.partial_url = "FAILED", "INTERNAL_SERVER_ERROR", url
        else:
            one.status, one.url = "COMPLETED", url
        self._tell(one)

    def _written(self, one: BulkOperation) -> "_Prepared":
        """The whole file. Raises Denied."""
        root = _ROOT.search(one.query)
        if root and root[1] in self._prepared:
            return self._prepared[root[1]]
        lines = list(one.lines())
        if not one.is_grouped:
            self._random.shuffle(lines)
        file = b"".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for line in lines)
        return _Prepared(file, len(lines), sum(1 for line in lines if "__parentId" not in line))

    def read(self, number: int, query: dict[str, str]) -> bytes | None:
        """The file behind a signed address, None if the signature is wrong or the address has expired."""
        one = self._rows.get(number)
        if one is None or one.expires_at is None or one.expires_at <= self._now():
            return None
        genuine = self._signature(one.id, query.get("Expires", ""))
        return one.file if hmac.compare_digest(genuine, query.get("Signature", "")) else None

    def _sign(self, one: BulkOperation) -> str:
        assert one.expires_at is not None
        expires = str(int(one.expires_at.timestamp()))
        return f"{self._origin}{FOLDER}/{one.id}.jsonl?Expires={expires}&Signature={self._signature(one.id, expires)}"

    def _signature(self, number: int, expires: str) -> str:
        return hmac.new(self._key, f"{number}.{expires}".encode(), hashlib.sha256).hexdigest()

    def _tell(self, one: BulkOperation) -> None:
        if self.on_finish is not None:
            body = {"admin_graphql_api_id": one.gid, "completed_at": _time(one.completed_at), "created_at": _time(one.created_at)}
            body |= {"error_code": one.error_code and one.error_code.lower(), "status": one.status.lower(), "type": "query"}
            self.on_finish("bulk_operations/finish", body)


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None
