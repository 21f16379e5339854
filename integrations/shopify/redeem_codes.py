"""
The many codes of one discount: added, found, taken away. Both changes are jobs of Shopify's own, which are watched until they are done.

A single code cannot be switched off: one that must not be honoured any more is taken away, and added again if it must.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from connector import decoding
from connector.codes import IssuedCodes
from connector.platforms import Access, Gone, TransientError
from integrations.shopify import queries_codes as documents
from integrations.shopify.answers import PLATFORM, UserErrors
from integrations.shopify.client import Client
from integrations.shopify.discount_nodes import Node
from integrations.shopify.discount_reads import as_words, discount_gid, discount_now, gone, refuse_gaps
from integrations.shopify.nodes import ByGid, Connection, Nodes, numeric_id
from integrations.shopify.paging import rest

POLLS = (0.1, 0.2, 0.4, 0.8, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0)
"""Seconds between looks at a job."""
LISTING_PATIENCE = 10.0
TAKEN = "TAKEN"
S = TypeVar("S")


class RedeemCode(Node):
    """One code of a discount; how often it was used, as far as Shopify has counted."""

    id: str
    code: str
    async_usage_count: int


class _Reference(Node):
    id: str


class _Owner(ByGid, kw_only=True):
    nodes: list["_Found | None"]


class _Found(Node):
    id: str
    code_discount: dict[str, msgspec.Raw] | None = None


class _Adding(Node):
    bulk_creation: _Reference | None


class _CodeError(Node):
    message: str = ""
    code: str | None = None


class _AddedCode(Node):
    code: str
    discount_redeem_code: _Reference | None = None
    errors: list[_CodeError] = msgspec.field(default_factory=list)


class _AddedCodes(Node):
    nodes: list[_AddedCode]


class _Progress(Node):
    done: bool
    imported_count: int
    failed_count: int
    codes: _AddedCodes | None = None


class _Creation(Node):
    discount_redeem_code_bulk_creation: _Progress | None


class _Job(Node):
    id: str
    done: bool


class _Removing(Node):
    job: _Job | None


class _JobState(Node):
    done: bool


class _JobNow(Node):
    job: _JobState | None


@dataclass(frozen=True, slots=True)
class RedeemCodes:
    """The codes of the discounts of one shop; safe to call from many threads. `sleep` waits while a job runs."""

    client: Client
    sleep: Callable[[float], None] = time.sleep

    def add(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """
        Give a discount more codes, 250 at a time; doing it again adds only what is missing.

        Raises TransientError if Shopify has not done after about 20 seconds: what it did is found the next time. Raises Gone.
        """
        wanted = list({code.casefold(): code for code in codes}.values())
        issued: list[str] = []
        refused: dict[str, str] = {}
        for part in _parts(wanted, documents.BULK):
            errors = self._add(access, platform_id, part)
            taken = [code for code in part if errors.get(code) == TAKEN]
            own = self.owned(access, platform_id, taken)
            issued += [code for code in part if code not in errors or code in own]
            refused |= {code: reason for code, reason in errors.items() if code not in own}
        return IssuedCodes(tuple(issued), refused)

    def find(self, access: Access, platform_id: str, codes: Sequence[str]) -> dict[str, RedeemCode]:
        """
        Those of these codes that a discount has, by the code as it was asked for.

        The search for codes follows them by a while: what it does not find and the discount has all the same is looked for page by page.
        Raises Gone.
        """
        found: dict[str, RedeemCode] = {}
        for part in _parts(codes, documents.FOUND_AT_ONCE):
            places = [part[min(place, len(part) - 1)] for place in range(documents.FOUND_AT_ONCE)]
            words = {f"w{place}": as_words(code) for place, code in enumerate(places)}
            answers = self._of_discount(access, platform_id, "codes found", documents.FIND_CODES, words)
            told = {code: _read(answers.get(f"w{place}"), Nodes[RedeemCode]).nodes for place, code in enumerate(places)}
            found |= {code: one for code, nodes in told.items() for one in nodes if _is_same(one.code, code)}
        missing = self.owned(access, platform_id, [code for code in codes if code not in found])
        for one in self._all(access, platform_id) if missing else ():
            if same := [code for code in missing if _is_same(one.code, code)]:
                missing = missing - set(same)
                found |= dict.fromkeys(same, one)
            if not missing:
                break
        if missing:
            raise TransientError("codes that are there are not shown", platform=PLATFORM, call="codes found")
        return found

    def remove(self, access: Access, platform_id: str, codes: Mapping[str, RedeemCode]) -> None:
        """
        Take codes away from their discount. Raises TransientError if they are still there after about 20 seconds.

        A discount that went meanwhile took them along.
        """
        names = list(codes)
        for part in _parts(names, documents.BULK):
            variables = {"discountId": discount_gid(platform_id), "ids": [codes[name].id for name in part]}
            root = "discountCodeRedeemCodeBulkDelete"
            try:
                removing = self.client.mutate(access, "codes remove", documents.REMOVE_CODES, variables, _Removing, root)
            except UserErrors:
                if discount_now(self.client, access, platform_id) is None:
                    return
                raise
            if removing.job is None:
                raise TransientError("codes were neither taken away nor kept", platform=PLATFORM, call="codes remove")
            if not removing.job.done:
                self._wait_for_job(access, removing.job.id)
        if self.owned(access, platform_id, names):
            raise TransientError("codes are still there", platform=PLATFORM, call="codes remove")

    def owned(self, access: Access, platform_id: str, codes: Sequence[str]) -> set[str]:
        """Those of these codes that this very discount has."""
        own: set[str] = set()
        for part in _parts(codes, documents.OWNERS_AT_ONCE):
            places = {f"c{place}": part[min(place, len(part) - 1)] for place in range(documents.OWNERS_AT_ONCE)}
            reply = self.client.query(access, "owners of codes", documents.OWNERS, places, dict[str, _Reference | None])
            refuse_gaps(reply.gaps)
            own |= {places[name] for name, node in reply.data.items() if node is not None and numeric_id(node.id) == platform_id}
        return own

    def _add(self, access: Access, platform_id: str, codes: Sequence[str]) -> dict[str, str]:
        """Add up to 250 codes and wait for the end; returns why some were refused: the platform's code for it, else its words."""
        variables = {"discountId": discount_gid(platform_id), "codes": [{"code": code} for code in codes]}
        try:
            adding = self.client.mutate(access, "codes add", documents.ADD_CODES, variables, _Adding, "discountRedeemCodeBulkAdd")
        except UserErrors as error:
            if discount_now(self.client, access, platform_id) is None:
                raise gone() from error
            raise
        if adding.bulk_creation is None:
            raise TransientError("codes were neither taken nor refused", platform=PLATFORM, call="codes add")
        progress = self._wait_for_addition(access, adding.bulk_creation.id)
        if progress.failed_count == 0 and progress.imported_count == len(codes):
            return {}
        # Costs 750 points: only if something was refused.
        variables, patience = {"id": adding.bulk_creation.id}, LISTING_PATIENCE
        reply = self.client.query(access, "codes added", documents.ADDED_CODES, variables, _Creation, patience=patience)
        told = reply.data.discount_redeem_code_bulk_creation
        if told is None or told.codes is None or len(told.codes.nodes) < len(codes):
            raise TransientError("Shopify does not say what became of all codes", platform=PLATFORM, call="codes added")
        spelt = {code.casefold(): code for code in codes}
        return {spelt.get(one.code.casefold(), one.code): _why(one) for one in told.codes.nodes if one.discount_redeem_code is None}

    def _wait_for_addition(self, access: Access, addition: str) -> _Progress:
        for seconds in POLLS:
            reply = self.client.query(access, "codes added", documents.ADDED, {"id": addition}, _Creation)
            progress = reply.data.discount_redeem_code_bulk_creation
            if progress is not None and progress.done:
                return progress
            self.sleep(seconds)
        raise TransientError("codes are still being added", platform=PLATFORM, call="codes add")

    def _wait_for_job(self, access: Access, job: str) -> None:
        for seconds in POLLS:
            self.sleep(seconds)
            reply = self.client.query(access, "job", documents.JOB, {"id": job}, _JobNow)
            # One that Shopify has forgotten has been done; what came of it is looked at anyway.
            if reply.data.job is None or reply.data.job.done:
                return
        raise TransientError("codes are still being taken away", platform=PLATFORM, call="codes remove")

    def _all(self, access: Access, platform_id: str) -> Iterator[RedeemCode]:
        def page(after: str | None) -> Connection[RedeemCode]:
            answer = self._of_discount(access, platform_id, "codes listed", documents.ALL_CODES, {"after": after})
            return _read(answer.get("codes"), Connection[RedeemCode])

        first = page(None)
        yield from first.nodes
        yield from rest(first, "codes listed", page)

    def _of_discount(
        self, access: Access, platform_id: str, call: str, document: str, variables: Mapping[str, Any]
    ) -> dict[str, msgspec.Raw]:
        """What one discount answers about its codes. Raises Gone, NotPermitted."""
        wanted = {"ids": [discount_gid(platform_id)], **variables}
        reply = self.client.query(access, call, document, wanted, _Owner, patience=LISTING_PATIENCE)
        if len(reply.data.nodes) != 1:
            raise TransientError("one discount was asked for, another number came", platform=PLATFORM, call=call)
        (found,) = reply.data.nodes
        refuse_gaps(reply.gaps)
        if found is None or found.code_discount is None:
            refuse_gaps(() if reply.data.may("read_discounts") else ("scope",))
            raise gone()
        return found.code_discount


def withdraw(book: RedeemCodes, access: Access, platform_id: str, codes: Sequence[str]) -> None:
    """Take these codes of a discount away; those that are gone, and all of a discount that is gone, are fine."""
    try:
        found = book.find(access, platform_id, codes)
    except Gone:
        return
    book.remove(access, platform_id, found)


def clear(book: RedeemCodes, access: Access, platform_id: str, codes: Sequence[str]) -> tuple[str, ...]:
    """Take those away that nobody used; returns those that are not there any more."""
    try:
        found = book.find(access, platform_id, codes)
    except Gone:
        return tuple(codes)
    unused = {code: one for code, one in found.items() if one.async_usage_count == 0}
    book.remove(access, platform_id, unused)
    return tuple(code for code in codes if code not in found or code in unused)


def _parts(codes: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (codes[start : start + size] for start in range(0, len(codes), size))


def _is_same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _read(content: msgspec.Raw | None, shape: type[S]) -> S:
    try:
        return decoding.decode(content or b"null", shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as misfit:
        raise TransientError("unreadable answer: no codes", platform=PLATFORM, call="codes found") from misfit


def _why(one: _AddedCode) -> str:
    first = one.errors[0] if one.errors else _CodeError()
    return first.code or first.message or "refused without a reason"
