"""
The pretend shop's discounts: made and changed by GraphQL's inputs, used by shoppers, told by webhooks.

What is wrong with an input comes back as user errors in Shopify's words and codes. Source: GraphQL Admin API 2026-10.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from integrations.sandbox.shopify_discount_checks import Wrong, check_input

Json = dict[str, Any]
Hook = Callable[[str, Json], None]
BASIC, FREE_SHIPPING = "DiscountCodeBasic", "DiscountCodeFreeShipping"
BXGY, APP, AUTOMATIC = "DiscountCodeBxgy", "DiscountCodeApp", "DiscountAutomaticBasic"
MISSING = Wrong("Discount does not exist.", "INVALID", ("id",))


@dataclass(slots=True)
class RedeemCode:
    """One code of a discount, when it was used and by whom: the limits of its discount hold for each code by itself."""

    id: int
    code: str
    added_at: datetime
    uses: list[datetime] = field(default_factory=list)
    customers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Discount:
    """A discount; `kind` is its GraphQL type, `wanted` the inputs that made it, newest over older. An automatic one has no codes."""

    id: int
    kind: str
    wanted: Json
    created_at: datetime
    updated_at: datetime
    starts_at: datetime
    ends_at: datetime | None = None
    codes: list[RedeemCode] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What the merchant sees."""
        return str(self.wanted.get("title") or "")

    @property
    def usage_limit(self) -> int | None:
        """Uses of each of its codes by all shoppers together."""
        return self.wanted.get("usageLimit")

    @property
    def used(self) -> int:
        """How often its codes were used."""
        return sum(len(code.uses) for code in self.codes)

    @property
    def gid(self) -> str:
        """As mutations and webhooks name it."""
        kind = "DiscountAutomaticNode" if self.kind == AUTOMATIC else "DiscountCodeNode"
        return f"gid://shopify/{kind}/{self.id}"


@dataclass(slots=True)
class CodeImport:
    """Codes being added to a discount: each with what was wrong with it, None until its turn came."""

    id: int
    discount_id: int
    created_at: datetime
    codes: list[str]
    done: list[tuple[RedeemCode | None, Wrong | None]] = field(default_factory=list)


@dataclass(slots=True)
class Removal:
    """A job that takes codes away from a discount; done once it was looked at so often."""

    id: int
    discount_id: int
    codes: list[int]
    looks_left: int


class DiscountBook:
    """
    All discounts of the shop. The caller holds the shop's lock.

    `on_change` gets the topic and body of each webhook. `count_lag`: how long a use stays unseen in `asyncUsageCount`; `search_lag`:
    how long the search for codes does not know a new one. `codes_a_look`: how many codes of an import are done each time somebody
    looks at it; None: all at once. `looks_to_remove`: looks at a removal until it is done. `behind`: how much too late
    discounts end by themselves, as if by a slow clock; one that is switched off ends at once all the same.
    """

    def __init__(self, now: Callable[[], datetime], numbers: Iterator[int], timezone: str = "America/New_York") -> None:
        self.on_change: Hook | None = None
        self.count_lag = timedelta(0)
        self.search_lag = timedelta(0)
        self.codes_a_look: int | None = None
        self.looks_to_remove = 1
        self.behind = timedelta(0)
        self.removals: dict[int, Removal] = {}
        self.imports: dict[int, CodeImport] = {}
        self._now = now
        self._numbers = numbers
        self._zone = ZoneInfo(timezone)
        self._rows: dict[int, Discount] = {}
        self._refusals: deque[Wrong] = deque()

    def __iter__(self) -> Iterator[Discount]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, number: int) -> Discount | None:
        """The discount with this number."""
        return self._rows.get(number)

    def find(self, code: str) -> Discount | None:
        """The discount with this code, whatever its letter case."""
        found = self._locate(code)
        return found[0] if found else None

    def status(self, one: Discount) -> str:
        """ACTIVE, SCHEDULED or EXPIRED now, by the clock that is late; one that is used up stays ACTIVE."""
        is_over = one.ends_at is not None and one.ends_at + self.behind <= self._now()
        return "EXPIRED" if is_over else "SCHEDULED" if one.starts_at > self._now() else "ACTIVE"

    def searchable(self, codes: Sequence[RedeemCode]) -> list[RedeemCode]:
        """Those that the search knows."""
        return [one for one in codes if one.added_at + self.search_lag <= self._now()]

    def refuse_next(self, message: str, code: str | None = None, path: Sequence[str] | None = None) -> None:
        """The next mutation changes nothing and says this; `code` and `path` (`field` of the user error) may be null."""
        self._refusals.append(Wrong(message, code, tuple(path) if path is not None else None))

    def create(self, kind: str, wanted: Mapping[str, Any]) -> tuple[Discount | None, list[Wrong]]:
        """Make one of GraphQL's input, or say what is wrong with it. Sends discounts/create."""
        wrong = self._refused() or check_input(kind, wanted, is_new=True)
        if not wrong and self._locate(str(wanted.get("code") or "")):
            wrong = [Wrong("Code must be unique. Please try a different code.", "TAKEN", ("code",))]
        if wrong:
            return None, wrong
        return self.add(kind, wanted), []

    def add(self, kind: str, wanted: Mapping[str, Any]) -> Discount:
        """The merchant makes one in the admin, of any kind and without our checks. Sends discounts/create."""
        now = self._now()
        starts_at = wanted.get("startsAt") or now
        one = Discount(next(self._numbers), kind, dict(wanted), now, now, starts_at, wanted.get("endsAt"))
        if wanted.get("code"):
            one.codes.append(RedeemCode(next(self._numbers), wanted["code"], now))
        self._rows[one.id] = one
        self._tell("create", one)
        return one

    def update(self, number: int, kind: str, wanted: Mapping[str, Any]) -> tuple[Discount | None, list[Wrong]]:
        """Change what the input names. Sends discounts/update."""
        one = self._rows.get(number)
        if one is None or one.kind != kind:
            return None, [MISSING]
        wrong = self._refused() or check_input(kind, {**one.wanted, **wanted}, is_new=False)
        holder = self._locate(str(wanted.get("code") or ""))
        if not wrong and holder is not None and holder[0] is not one:
            wrong = [Wrong("Code must be unique. Please try a different code.", "TAKEN", ("code",))]
        if wrong:
            return None, wrong
        one.wanted = {**one.wanted, **wanted}
        one.starts_at = wanted.get("startsAt") or one.starts_at
        one.ends_at = wanted.get("endsAt", one.ends_at)
        if wanted.get("code") and one.codes:
            one.codes[0].code = wanted["code"]
        return self._changed(one), []

    def activate(self, number: int) -> tuple[Discount | None, list[Wrong]]:
        """Let it hold again, from now on and without an end if it has ended. Sends discounts/update."""
        one, now = self._rows.get(number), self._now()
        wrong = self._refused() or ([MISSING] if one is None else [])
        if one is None or wrong:
            return None, wrong
        one.starts_at = min(one.starts_at, now)
        one.ends_at = None if one.ends_at is not None and one.ends_at + self.behind <= now else one.ends_at
        return self._changed(one), []

    def deactivate(self, number: int) -> tuple[Discount | None, list[Wrong]]:
        """End it now: it reads EXPIRED. Sends discounts/update."""
        one = self._rows.get(number)
        wrong = self._refused() or ([MISSING] if one is None else [])
        if one is None or wrong:
            return None, wrong
        self.expire(number)
        return self._changed(one), []

    def delete(self, number: int) -> list[Wrong]:
        """Take it away with all its codes. Sends discounts/delete."""
        wrong = self._refused() or ([] if number in self._rows else [MISSING])
        if not wrong:
            one = self._rows.pop(number)
            self._say("discounts/delete", {"admin_graphql_api_id": one.gid, "deleted_at": self._shop_time(self._now())})
        return wrong

    def expire(self, number: int) -> None:
        """Its end has come by itself: no webhook says so."""
        one, end = self._rows[number], self._now() - self.behind
        one.ends_at = min(one.ends_at or end, end)
        one.starts_at = min(one.starts_at, one.ends_at)

    def use(self, code: str, customer: str | None = None) -> bool:
        """A shopper places an order with this code; False if the shop does not honour it. No webhook says so."""
        found = self._locate(code)
        if found is None or not self.honours(code, customer):
            return False
        if customer is not None:
            found[1].customers.add(customer)
        found[1].uses.append(self._now())
        return True

    def honours(self, code: str, customer: str | None = None) -> bool:
        """Whether the shop takes this code now, from this customer, as far as its time and its limits go."""
        found = self._locate(code)
        if found is None or self.status(found[0]) != "ACTIVE":
            return False
        one, redeem = found
        is_again = bool(one.wanted.get("appliesOncePerCustomer")) and customer in redeem.customers
        return not is_again and (one.usage_limit is None or len(redeem.uses) < one.usage_limit)

    def counted(self, codes: Sequence[RedeemCode]) -> int:
        """Uses as `asyncUsageCount` has them: the newest may be missing."""
        return sum(1 for code in codes for used_at in code.uses if used_at + self.count_lag <= self._now())

    def begin_import(self, number: int, codes: Sequence[str]) -> tuple[CodeImport | None, list[Wrong]]:
        """Start adding codes to a discount; look_at() brings it forward."""
        one = self._rows.get(number)
        wrong = self._refused()
        if not wrong and (one is None or not one.codes):
            wrong = [Wrong("Code discount does not exist.", "INVALID", ("discountId",))]
        if not wrong and not codes:
            wrong = [Wrong("Codes can't be blank", "BLANK", ("codes",))]
        if wrong:
            return None, wrong
        started = CodeImport(next(self._numbers), number, self._now(), list(codes))
        self.imports[started.id] = started
        return started, []

    def look_at(self, number: int) -> CodeImport | None:
        """An import as it is now; looking brings it forward. Sends discounts/redeemcode_added for each code."""
        one = self.imports.get(number)
        if one is None:
            return None
        ahead = len(one.codes) if self.codes_a_look is None else len(one.done) + self.codes_a_look
        for code in one.codes[len(one.done) : ahead]:
            one.done.append(self._add(one.discount_id, code))
        return one

    def begin_removal(self, number: int, ids: Sequence[int]) -> tuple[Removal | None, list[Wrong]]:
        """Start taking codes away from a discount; look_at_removal() brings it forward."""
        wrong = self._refused() or ([] if number in self._rows else [MISSING])
        if wrong:
            return None, wrong
        started = Removal(next(self._numbers), number, list(ids), self.looks_to_remove)
        self.removals[started.id] = started
        return started, []

    def look_at_removal(self, number: int) -> Removal | None:
        """A removal as it is now; looking brings it forward."""
        started = self.removals.get(number)
        if started is not None and started.looks_left > 0:
            started.looks_left -= 1
            if started.looks_left == 0:
                self.remove_codes(started.discount_id, started.codes)
        return started

    def remove_codes(self, number: int, ids: Sequence[int]) -> None:
        """Take codes away from a discount at once. Sends discounts/redeemcode_removed for each."""
        one = self._rows.get(number)
        for code in [code for code in (one.codes if one else ()) if code.id in ids]:
            assert one is not None
            one.codes.remove(code)
            self._tell_code("removed", one, code)

    def _add(self, number: int, code: str) -> tuple[RedeemCode | None, Wrong | None]:
        one = self._rows.get(number)
        if one is None:
            return None, Wrong("Discount does not exist.", "INVALID", None)
        if not code.strip():
            return None, Wrong("can't be blank", "BLANK", None)
        if self._locate(code):
            return None, Wrong("must be unique. Please try a different code.", "TAKEN", None)
        added = RedeemCode(next(self._numbers), code, self._now())
        one.codes.append(added)
        self._tell_code("added", one, added)
        return added, None

    def _locate(self, code: str) -> tuple[Discount, RedeemCode] | None:
        for one in self._rows.values():
            for redeem in one.codes:
                if redeem.code.casefold() == code.strip().casefold():
                    return one, redeem
        return None

    def _refused(self) -> list[Wrong]:
        return [self._refusals.popleft()] if self._refusals else []

    def _changed(self, one: Discount) -> Discount:
        one.updated_at = self._now()
        self._tell("update", one)
        return one

    def _tell(self, what: str, one: Discount) -> None:
        times = {"created_at": self._shop_time(one.created_at), "updated_at": self._shop_time(one.updated_at)}
        self._say(f"discounts/{what}", {"admin_graphql_api_id": one.gid, "title": one.title, "status": self.status(one), **times})

    def _tell_code(self, what: str, one: Discount, code: RedeemCode) -> None:
        at = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        redeem = {"id": f"gid://shopify/DiscountRedeemCode/{code.id}", "code": code.code}
        self._say(f"discounts/redeemcode_{what}", {"admin_graphql_api_id": one.gid, "redeem_code": redeem, "updated_at": at})

    def _say(self, topic: str, body: Json) -> None:
        if self.on_change is not None:
            self.on_change(topic, body)

    def _shop_time(self, at: datetime) -> str:
        return at.astimezone(self._zone).isoformat(timespec="seconds")
