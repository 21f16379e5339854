"""A store's codes in memory, that keeps them as one of the platforms does, forgets to answer, refuses, and has a clock of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connector.codes import CodeState, CodeStatus, DiscountCode, IssuedCodes
from connector.platforms import Access, CodeTaken, Gone, PlatformError, TransientError
from connector.reading import Page


@dataclass
class Discount:
    """One discount with its codes (by lower-cased name) and how often each was used."""

    terms: DiscountCode
    changed_at: datetime
    names: dict[str, str]
    used: dict[str, int] = field(default_factory=dict)
    is_off: bool = False


@dataclass
class CodeStore:
    """
    Implements `platforms.Codes`. `is_single`: each code is a discount of its own, as on WooCommerce; else a discount has many.

    `calls`: what was asked. `errors`: what a call raises before it does anything, for ever; `lost`: calls whose next answer is lost after
    it was done. `answers_left`: so many calls, and it falls silent. `refused`: names of a series that are not taken, each once.
    """

    clock: Callable[[], datetime]
    is_single: bool = False
    discounts: dict[str, Discount] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    errors: dict[str, PlatformError] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    refuses_next: int = 0
    behind: timedelta = timedelta()
    answers_left: int | None = None
    made: int = 0

    # What the worker asks.

    def issue_code(self, access: Access, code: DiscountCode) -> CodeState:
        """As the protocol says."""
        self._begin("issue_code", code.code)
        held = self._find(code.code)
        if held is not None and replace(self.discounts[held].terms, title=None, code=code.code) != replace(code, title=None):
            raise CodeTaken("the name is taken", platform="fake", call="issue_code", status=422)
        state = self._state(held or self._make(code), code.code)
        self._end("issue_code")
        return state

    def issue_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """As the protocol says."""
        self._begin("issue_codes", platform_id, *codes)
        model = self._get(platform_id)
        issued, refused = [], {}
        for code in codes:
            held = self._find(code)
            if self.refuses_next > 0:
                self.refuses_next -= 1
                refused[code] = "TAKEN"
            elif held is not None and held != platform_id and self.discounts[held].terms != replace(model.terms, code=code):
                refused[code] = "TAKEN"
            else:
                if held is None:
                    self._add(platform_id, model, code)
                issued.append(code)
        self._end("issue_codes")
        return IssuedCodes(tuple(issued), refused)

    def read_code(self, access: Access, code: str) -> CodeState | None:
        """As the protocol says."""
        self._begin("read_code", code)
        held = self._find(code)
        return None if held is None else self._state(held, code)

    def find_codes(self, access: Access, words: str, cursor: str | None = None) -> Page:
        """Everything that has the words in a code."""
        self._begin("find_codes", words)
        found = [self._state(one, name) for one, discount in self.discounts.items() for name in discount.names if words.lower() in name]
        return Page(tuple(found))

    def suspend_code(self, access: Access, platform_id: str) -> None:
        """As the protocol says."""
        self._begin("suspend_code", platform_id)
        self._get(platform_id).is_off = True
        self._end("suspend_code")

    def resume_code(self, access: Access, platform_id: str) -> None:
        """As the protocol says."""
        self._begin("resume_code", platform_id)
        self._get(platform_id).is_off = False
        self._end("resume_code")

    def delete_code(self, access: Access, platform_id: str) -> None:
        """As the protocol says."""
        self._begin("delete_code", platform_id)
        self.discounts.pop(platform_id, None)
        self._end("delete_code")

    def withdraw_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> None:
        """Taken from the discount, or switched off one by one."""
        self._begin("withdraw_codes", platform_id, *codes)
        for code in codes:
            held = self._find(code)
            if held is not None and self.is_single:
                self.discounts[held].is_off = True
            elif held == platform_id:
                del self.discounts[held].names[code.lower()]
        self._end("withdraw_codes")

    def restore_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """As the protocol says."""
        self._begin("restore_codes", platform_id, *codes)
        model = self._get(platform_id)
        refused = {}
        for code in codes:
            held = self._find(code)
            if self.is_single and held is not None:
                self.discounts[held].is_off = False
            elif self.is_single or held not in (None, platform_id):
                refused[code] = "gone"
            else:
                self._add(platform_id, model, code)
        self._end("restore_codes")
        return IssuedCodes(tuple(code for code in codes if code not in refused), refused)

    def clear_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> tuple[str, ...]:
        """As the protocol says."""
        self._begin("clear_codes", platform_id, *codes)
        gone = []
        for code in codes:
            held = self._find(code)
            if held is not None and self.discounts[held].used.get(code.lower()):
                continue
            gone.append(code)
            if held is not None and self.is_single:
                del self.discounts[held]
            elif held is not None:
                del self.discounts[held].names[code.lower()]
        self._end("clear_codes")
        return tuple(gone)

    def use_url(self, shop_url: str, code: str) -> str | None:
        """As Shopify's."""
        return f"{shop_url}/discount/{code}"

    # What people do, and what a test asks.

    def use(self, code: str) -> None:
        """A shopper uses a code."""
        held = self._find(code)
        assert held is not None
        self.discounts[held].used[code.lower()] = self.discounts[held].used.get(code.lower(), 0) + 1

    def merchant_makes(self, code: DiscountCode) -> str:
        """A merchant makes a code; returns its discount's number."""
        return self._make(code)

    def merchant_deletes(self, code: str) -> None:
        """A merchant deletes the discount of a code."""
        held = self._find(code)
        assert held is not None
        del self.discounts[held]

    def merchant_moves_end(self, code: str, ends_at: datetime | None) -> None:
        """A merchant gives a code another end."""
        held = self._find(code)
        assert held is not None
        self.discounts[held].terms = replace(self.discounts[held].terms, ends_at=ends_at)

    def honours(self, code: str) -> bool:
        """Whether a shopper gets this discount now, by the store's own clock."""
        held = self._find(code)
        if held is None:
            return False
        discount = self.discounts[held]
        limit = discount.terms.usage_limit
        is_free = limit is None or discount.used.get(code.lower(), 0) < limit
        return is_free and not discount.is_off and not self._is_over(discount)

    def count(self, name: str) -> int:
        """How often it was asked for this."""
        return sum(call.split(" ", 1)[0] == name for call in self.calls)

    def codes(self) -> list[str]:
        """All codes that there are."""
        return sorted(name for discount in self.discounts.values() for name in discount.names.values())

    def _begin(self, name: str, *words: str) -> None:
        if self.answers_left is not None:
            if self.answers_left == 0:
                raise TransientError("no answer", platform="fake", call=name)
            self.answers_left -= 1
        self.calls.append(" ".join((name, *words)))
        error = self.errors.get(name) or self.errors.get("*")
        if error is not None:
            raise error

    def _end(self, name: str) -> None:
        if name in self.lost:
            self.lost.discard(name)
            raise TransientError("no answer", platform="fake", call=name)

    def _find(self, code: str) -> str | None:
        return next((one for one, discount in self.discounts.items() if code.lower() in discount.names), None)

    def _get(self, platform_id: str) -> Discount:
        if platform_id not in self.discounts:
            raise Gone("there is none", platform="fake", call="discount", status=404)
        return self.discounts[platform_id]

    def _make(self, code: DiscountCode) -> str:
        self.made += 1
        platform_id = str(self.made)
        self.discounts[platform_id] = Discount(code, self.clock(), {code.code.lower(): code.code})
        return platform_id

    def _add(self, platform_id: str, model: Discount, code: str) -> None:
        if self.is_single:
            self._make(replace(model.terms, code=code))
        else:
            model.names[code.lower()] = code

    def _is_over(self, discount: Discount) -> bool:
        return discount.terms.ends_at is not None and discount.terms.ends_at <= self.clock() - self.behind

    def _state(self, platform_id: str, code: str) -> CodeState:
        discount = self.discounts[platform_id]
        terms = discount.terms
        return CodeState(
            platform_id=platform_id,
            source_version=discount.changed_at,
            code=discount.names[code.lower()],
            kind=terms.kind,
            status=CodeStatus.EXPIRED if discount.is_off or self._is_over(discount) else CodeStatus.ACTIVE,
            value=terms.value,
            currency=terms.currency,
            ends_at=terms.ends_at,
            usage_limit=terms.usage_limit,
            used=discount.used.get(code.lower(), 0),
            once_per_customer=terms.once_per_customer,
            minimum_subtotal=terms.minimum_subtotal,
            codes=len(discount.names),
        )
