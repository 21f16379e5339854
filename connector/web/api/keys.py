"""Which program asks: the key in its `Authorization` header. Cookies are never looked at."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import Request

from connector.rules.permissions import Scope
from connector.store import api_keys, attempts
from connector.store.db import Session
from connector.web.api.errors import ApiError
from connector.web.composition import Composition
from connector.web.inputs import Parts

MOST_CALLS, PER_SECONDS = 300, 60

_BEARER = re.compile(r"[Bb]earer +(ck_[A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiAsk:
    """One call with a key, which sees its account and nothing else."""

    parts: Composition
    account_id: int

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction that sees all shops of the account, and nothing else."""
        with self.parts.db.transaction(account=self.account_id) as session:
            yield session


def calling(scope: Scope) -> Callable[[Request, Composition], ApiAsk]:
    """A dependency: a good key with that scope, not used too often. Raises ApiError 401, 403 or 429."""

    def key(request: Request, parts: Parts) -> ApiAsk:
        found = _BEARER.fullmatch(request.headers.get("authorization", ""))
        vault = parts.services.vault
        with parts.db.system_transaction("whose key this is") as session:
            row = None if found is None else api_keys.find(session, vault, found[1])
            is_welcome = row is None or attempts.take(session, vault, "api", row.public_id, most=MOST_CALLS, seconds=PER_SECONDS)
        if row is None:
            raise ApiError(401, "unauthorized", "Send a key that is good: Authorization: Bearer ck_…", {"www-authenticate": "Bearer"})
        if not is_welcome:
            words = f"That is more than {MOST_CALLS} calls in a minute with this key."
            raise ApiError(429, "too_many_requests", words, {"retry-after": str(PER_SECONDS)})
        if scope.value not in row.scopes:
            raise ApiError(403, "forbidden", f"This key may not do that: it lacks the scope {scope.value}.")
        return ApiAsk(parts, row.account_id)

    key.needs = scope  # type: ignore[attr-defined]
    return key
