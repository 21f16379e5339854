"""What a sync covers, how far it is, and when a slice came short."""

from datetime import UTC, datetime, timedelta

import pytest

from connector.canonical import Resource
from connector.errors import Refused
from connector.rules.syncing import (
    EXPORT_FROM,
    OVERLAP,
    RESOURCES,
    Progress,
    Scope,
    SliceSpec,
    check_scope,
    is_short,
    plan,
    progress,
    wants_export,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "scope",
    [Scope(), Scope((Resource.ORDER,), NOW - DAY, NOW), Scope((Resource.CUSTOMER,), platform_id="7")],
    ids=["all", "a day of orders", "one customer"],
)
def test_a_scope_is_kept_and_found_again_as_it_was(scope: Scope) -> None:
    assert Scope.from_json(scope.to_json()) == scope
    assert check_scope(scope, NOW) is scope


@pytest.mark.parametrize(
    "scope",
    [
        Scope(()),
        Scope((Resource.SHOP,)),
        Scope((Resource.ORDER, Resource.PRODUCT), platform_id="7"),
        Scope((Resource.ORDER,), since=NOW - DAY, platform_id="7"),
        Scope((Resource.ORDER,), until=NOW, platform_id="7"),
        Scope((Resource.ORDER,), platform_id="  "),
        Scope(since=NOW, until=NOW - DAY),
        Scope(since=NOW - DAY, until=NOW - DAY),
        Scope(since=NOW),
    ],
    ids=["nothing", "the shop itself", "one of two kinds", "one since", "one until", "no id", "backwards", "empty", "future"],
)
def test_a_scope_that_makes_no_sense_is_refused(scope: Scope) -> None:
    with pytest.raises(Refused):
        check_scope(scope, NOW)


def test_an_open_scope_reads_each_kind_and_then_once_more_what_changed_meanwhile() -> None:
    slices = plan(Scope(), NOW)

    assert slices == [SliceSpec(kind) for kind in RESOURCES] + [SliceSpec(kind, NOW - OVERLAP) for kind in RESOURCES]


def test_a_span_that_has_ended_is_read_once_and_in_the_usual_order() -> None:
    slices = plan(Scope((Resource.ORDER, Resource.CUSTOMER), NOW - DAY, NOW), NOW)

    assert slices == [SliceSpec(Resource.CUSTOMER, NOW - DAY, NOW), SliceSpec(Resource.ORDER, NOW - DAY, NOW)]


def test_a_single_record_is_one_slice() -> None:
    assert plan(Scope((Resource.ORDER,), platform_id="7"), NOW) == [SliceSpec(Resource.ORDER, platform_id="7")]


@pytest.mark.parametrize(
    ("count", "can_export", "until", "wanted"),
    [
        (EXPORT_FROM, True, None, True),
        (EXPORT_FROM - 1, True, None, False),
        (EXPORT_FROM, False, None, False),
        (EXPORT_FROM, True, NOW, False),
    ],
)
def test_many_records_come_by_a_file_where_the_store_writes_one(count: int, can_export: bool, until: datetime | None, wanted: bool) -> None:
    assert wants_export(count, can_export=can_export, until=until) is wanted


@pytest.mark.parametrize(
    ("seen", "expected", "is_exact", "short"),
    [(9, 10, True, True), (10, 10, True, False), (11, 10, True, False), (9, 10, False, False), (0, None, True, False), (0, 1, True, True)],
)
def test_a_slice_is_short_only_if_fewer_came_than_are_known_to_be_there(
    seen: int, expected: int | None, is_exact: bool, short: bool
) -> None:
    assert is_short(seen, expected, is_exact=is_exact) is short


@pytest.mark.parametrize(
    ("seen", "expected", "seconds", "found"),
    [
        ((30, 20), (40, 60), 10.0, Progress(50, 100, 5.0, 10.0)),
        ((30, 0), (40, None), 10.0, Progress(30, None, 3.0, None)),
        ((50,), (40,), 10.0, Progress(50, 50, 5.0, 0.0)),
        ((0,), (40,), 10.0, Progress(0, 40, None, None)),
        ((5,), (40,), 0.0, Progress(5, 40, None, None)),
        ((), (), None, Progress(0, 0, None, None)),
    ],
    ids=["on its way", "not all counted yet", "more than counted", "nothing yet", "just begun", "not begun"],
)
def test_progress_tells_rate_and_end_as_soon_as_they_are_known(
    seen: tuple[int, ...], expected: tuple[int | None, ...], seconds: float | None, found: Progress
) -> None:
    began = None if seconds is None else NOW - timedelta(seconds=seconds)

    assert progress(seen, expected, began, NOW) == found
