"""What may be done with a resync, what people may ask for, and what a run proved."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from connector.canonical import Resource
from connector.errors import Refused
from connector.rules import resyncing
from connector.rules.resyncing import WHAT, Act, Asked, SliceCounts, Verdict, acts_of, prove, read_scope
from connector.rules.syncing import RESOURCES, RunState, Scope, SliceState

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EQUAL = SliceCounts(Resource.ORDER, SliceState.DONE, missing=1, changed=2, unchanged=7, store_sum="0a", ours_sum="0a")


@pytest.mark.parametrize(
    ("state", "is_dry_run", "has_differences", "acts"),
    [
        (RunState.WAITING, False, False, (Act.PAUSE, Act.CANCEL)),
        (RunState.RUNNING, True, True, (Act.PAUSE, Act.CANCEL)),
        (RunState.PAUSED, False, True, (Act.RESUME, Act.CANCEL)),
        (RunState.DONE, True, True, (Act.APPLY,)),
        (RunState.DONE, True, False, ()),
        (RunState.DONE, False, True, ()),
        (RunState.FAILED, True, True, ()),
        (RunState.CANCELLED, True, True, ()),
    ],
)
def test_what_may_be_done_follows_the_state(state: RunState, is_dry_run: bool, has_differences: bool, acts: tuple[Act, ...]) -> None:
    assert acts_of(state, is_dry_run=is_dry_run, has_differences=has_differences) == acts


def test_only_what_may_be_applied_is() -> None:
    resyncing.check_applicable([Act.APPLY])
    with pytest.raises(Refused, match="nothing to apply"):
        resyncing.check_applicable([Act.CANCEL])


def test_only_a_connected_shop_is_read() -> None:
    resyncing.check_shop("connected")
    with pytest.raises(Refused, match="not connected"):
        resyncing.check_shop("uninstalled")


def test_a_reason_says_something_on_one_line() -> None:
    assert resyncing.check_reason("  request\n 4711 ") == "request 4711"
    for typed in ("", "   a   b", "abcd"):
        with pytest.raises(Refused, match="at least 5"):
            resyncing.check_reason(typed)
    with pytest.raises(Refused, match="up to 500"):
        resyncing.check_reason("x" * 501)


def test_everything_is_asked_for_by_saying_nothing() -> None:
    assert read_scope(Asked(), PARIS, NOW) == Scope(RESOURCES)
    assert {one for resources in WHAT.values() for one in resources} == set(RESOURCES)


def test_days_are_those_of_the_shop_and_the_last_one_counts() -> None:
    scope = read_scope(Asked("orders", since="2026-11-01", until=" 2026-11-02 "), PARIS, NOW)
    assert scope.resources == (Resource.ORDER,)
    assert scope.since == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert scope.until == datetime(2026, 11, 2, 23, tzinfo=UTC)


def test_one_record_is_asked_for_by_its_id() -> None:
    assert read_scope(Asked("customers", " 4711 "), PARIS, NOW) == Scope((Resource.CUSTOMER,), platform_id="4711")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked("baskets"), "Say what to read again"),
        (Asked("orders", "1" * 201), "no id"),
        (Asked("orders", "1\x00"), "no id"),
        (Asked("all", "1"), "of one kind"),
        (Asked("orders", "1", since="2026-11-01"), "of no span"),
        (Asked(since="01.11.2026"), "This is no day"),
        (Asked(since="1999-11-01"), "This is no day"),
        (Asked(since="2026-11-02", until="2026-11-01"), "begin before it ends"),
        (Asked(since="2027-01-01"), "in the future"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: Asked, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_scope(asked, PARIS, NOW)


def test_a_run_that_left_nothing_different_proves_it() -> None:
    proof = prove([EQUAL, replace(EQUAL, resource=Resource.PRODUCT, store_sum="1", ours_sum="01")], RunState.DONE)
    assert proof is not None
    assert (proof.verdict, proof.is_equal, proof.compared, proof.missing, proof.changed) == (Verdict.EQUAL, True, 20, 2, 4)
    assert proof.store_digest == proof.ours_digest == f"{0x0B:064x}"


@pytest.mark.parametrize("slices", [[replace(EQUAL, remaining=1)], [replace(EQUAL, ours_sum="0b")], [EQUAL, replace(EQUAL, ours_sum="")]])
def test_what_remains_or_another_digest_is_a_difference(slices: list[SliceCounts]) -> None:
    proof = prove(slices, RunState.DONE)
    assert proof is not None
    assert (proof.verdict, proof.is_equal) == (Verdict.DIFFERS, False)


@pytest.mark.parametrize(
    ("slices", "state"),
    [
        ([EQUAL, replace(EQUAL, state=SliceState.FAILED)], RunState.DONE),
        ([EQUAL], RunState.FAILED),
        ([replace(EQUAL, state=SliceState.SKIPPED)], RunState.DONE),
        ([], RunState.DONE),
    ],
)
def test_what_was_not_read_proves_nothing(slices: list[SliceCounts], state: RunState) -> None:
    proof = prove(slices, state)
    assert proof is not None
    assert (proof.verdict, proof.is_equal) == (Verdict.INCOMPLETE, False)


def test_what_the_store_does_not_show_is_named_and_left_out() -> None:
    hidden = SliceCounts(Resource.CUSTOMER, SliceState.SKIPPED, ours_sum="0f")
    proof = prove([EQUAL, hidden, hidden], RunState.DONE)
    assert proof is not None
    assert (proof.verdict, proof.hidden, proof.compared) == (Verdict.EQUAL, (Resource.CUSTOMER,), 10)


@pytest.mark.parametrize("state", [RunState.WAITING, RunState.RUNNING, RunState.PAUSED, RunState.CANCELLED])
def test_a_run_that_did_not_end_proves_nothing_at_all(state: RunState) -> None:
    assert prove([EQUAL], state) is None
