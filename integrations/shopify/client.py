"""
Calls to one shop's GraphQL Admin API.

Every call waits for its points before it is sent, so that Shopify hardly ever has to refuse one; the points of a shop are shared by
all who call it. Data is kept whenever there is some; what was withheld is named in `Reply.gaps`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from connector import decoding
from connector.budget import Budget
from connector.platforms import Access, AccessLost, PlatformError, Rejected, ThrottledError, TransientError
from integrations.shopify import queries, queries_codes, queries_ids
from integrations.shopify.answers import KINDS, PLATFORM, Envelope, GraphError, Outcome, check_status, failure, refusal, wait_for
from integrations.shopify.budget import CallCosts, LocalBudget
from integrations.shopify.oauth import without
from integrations.shopify.signature import shop_domain
from integrations.transport import Answer, Transport, decode

API_VERSION = "2026-10"
PATIENCE = 2.0
"""Seconds that a call waits for its points before the caller is told to come back."""
AHEAD_OF_OTHERS = 1.0
"""A call that may wait longer sets points aside only this many seconds before they are there: others with less patience go first."""
T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """Usable data, and the dotted paths of what was withheld from it."""

    data: T
    gaps: tuple[str, ...] = ()


class Client:
    """The GraphQL client; thread-safe. `transport` is the process's pooled one, `budget` what all who call a shop share."""

    def __init__(self, transport: Transport, budget: Budget | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
        self.transport = transport
        self._budget = budget or LocalBudget()
        self.sleep = sleep
        self._costs = CallCosts({**queries.COSTS, **queries_codes.COSTS, **queries_ids.COSTS})
        self._patience = PATIENCE

    def with_patience(self, seconds: float) -> "Client":
        """The same client, whose queries wait so long for their points where nothing else is said."""
        other = copy(self)
        other._patience = seconds
        return other

    def query(
        self, access: Access, call: str, document: str, variables: Mapping[str, Any], shape: type[T], *, patience: float | None = None
    ) -> Reply[T]:
        """
        Send one document and return its `data` in this shape.

        Waits up to `patience` seconds for the shop's points. Raises: ThrottledError with the wait that is needed, AccessLost,
        NotPermitted (also a frozen or inactive shop), Gone, TransientError, Rejected.
        """
        envelope, status = self._ask(access, call, document, variables, self._patience if patience is None else patience)
        errors = envelope.faults
        try:
            data = decoding.decode(envelope.data, shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as misfit:
            raise _told(failure(errors, call, status), errors) from misfit
        if failed := [error for error in errors if KINDS.get(error.code) is TransientError]:
            # What is missing then is not withheld from us: the same question may bring it.
            raise failure(failed, call, status)
        return Reply(data, _note_gaps(errors, call))

    def mutate(
        self,
        access: Access,
        call: str,
        document: str,
        variables: Mapping[str, Any],
        shape: type[T],
        root: str,
        *,
        patience: float = PATIENCE,
    ) -> T:
        """
        Send one mutation and return the payload under its root field in this shape.

        Raises: UserErrors if Shopify refused (nothing was done then), and as `query`. After a TransientError it is not known
        whether it was done: look before repeating.
        """
        envelope, status = self._ask(access, call, document, variables, patience)
        errors = envelope.faults
        try:
            content = decoding.decode(envelope.data, dict[str, msgspec.Raw])[root]
            refused = decoding.decode(content, Outcome).user_errors
            payload = decoding.decode(content, shape) if not refused else None
        except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as misfit:
            raise _told(failure(errors, call, status), errors) from misfit
        if payload is None:
            raise refusal(refused, call)
        _note_gaps(errors, call)
        return payload

    def _ask(self, access: Access, call: str, document: str, variables: Mapping[str, Any], patience: float) -> tuple[Envelope, int]:
        """The answer of a call that was neither refused nor throttled; settles its points whatever comes."""
        token = access.credentials.get("access_token", "")
        # The token must never travel to a host that is not Shopify's.
        if not token or shop_domain(access.domain) is None:
            raise AccessLost("no access token for this shop", platform=PLATFORM, call=call)
        key, points = f"{PLATFORM}:{access.domain}", self._costs.expect(document, variables)
        self._wait(key, points, call, patience)
        try:
            answer = self.transport.send(
                PLATFORM,
                call,
                "POST",
                f"https://{access.domain}/admin/api/{API_VERSION}/graphql.json",
                headers={"x-shopify-access-token": token},
                json={"query": document, "variables": dict(variables)},
            )
        except Rejected:
            # Nothing was sent.
            self._budget.give_back(key, points)
            raise
        answer = without(answer, token)
        try:
            check_status(answer, call)
            _note_version(answer, call)
            envelope = decode(answer, Envelope, platform=PLATFORM, call=call)
        except PlatformError:
            # Nothing was reckoned. After no answer at all, nobody knows: then the points count as used.
            self._budget.give_back(key, points)
            raise
        self._settle(key, points, document, variables, envelope)
        if any(error.code == "THROTTLED" for error in envelope.faults):
            wait = wait_for(envelope.cost)
            self.transport.throttled(PLATFORM, call, wait)
            raise ThrottledError("throttled", platform=PLATFORM, call=call, status=answer.status, retry_after=wait)
        return envelope, answer.status

    def _wait(self, key: str, points: float, call: str, patience: float) -> None:
        """Wait until the shop's bucket holds these points. Raises ThrottledError, without having taken any, if that takes too long."""
        at_most, waited = AHEAD_OF_OTHERS if patience > PATIENCE else patience, 0.0
        while (seconds := self._budget.reserve(key, points)) > at_most:
            self._budget.give_back(key, points)
            waited += seconds
            if waited > patience:
                raise ThrottledError("waiting for the shop's points", platform=PLATFORM, call=call, retry_after=seconds)
            self.sleep(seconds)
        if seconds > 0:
            self.sleep(seconds)

    def _settle(self, key: str, points: float, document: str, variables: Mapping[str, Any], envelope: Envelope) -> None:
        """Give back what was set aside and not used, and learn what the answer says of costs and bucket."""
        cost = envelope.cost
        if cost is None:
            # Nothing was reckoned; keeping points set aside that nobody counts would only slow us down.
            self._budget.give_back(key, points)
            return
        if cost.requested_query_cost is not None:
            self._costs.learn(document, variables, cost.requested_query_cost)
        self._budget.give_back(key, points - (cost.actual_query_cost or 0.0))
        if bucket := cost.throttle_status:
            self._budget.learn(key, bucket.currently_available, bucket.maximum_available, bucket.restore_rate)


def _note_gaps(errors: Sequence[GraphError], call: str) -> tuple[str, ...]:
    gaps = tuple(error.place for error in errors)
    if gaps:
        log.warning("shopify.withheld", call=call, gaps=gaps[:10])
    return gaps


def _told(error: PlatformError, errors: Sequence[GraphError]) -> PlatformError:
    """The same error; one that only a change of our documents cures is logged as such."""
    if any(one.code == "MAX_COST_EXCEEDED" for one in errors):
        log.error("shopify.too_expensive", call=error.call)
    return error


def _note_version(answer: Answer, call: str) -> None:
    served = answer.headers.get("x-shopify-api-version", API_VERSION)
    if served != API_VERSION:
        # A retired version is answered by another one without any error.
        log.warning("shopify.version_differs", asked=API_VERSION, served=served, call=call)
