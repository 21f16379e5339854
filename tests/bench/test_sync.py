"""What is computed of what the stores of the sync's benchmarks saw, and which bounds are held against it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.bench import sync
from tests.bench.sync import Measured, to_findings
from tests.bench.sync_ways import CEILING, Model, Stored, Unchanged, to_model, to_share


def page(came: float, answered: float, factor: float = 1.0) -> dict[str, float]:
    return {"came": came, "answered": answered, "factor": factor, "records": 100}


def good() -> Measured:
    """A run in which every bound holds, by a little."""
    rates = {
        sync.OURS: 1_600.0,
        sync.SESSIONS: 80.0,
        sync.ADDED: 320.0,
        sync.READ_SLOW: 6_000.0,
        sync.LISTED_SLOW: 1_000.0,
        sync.OURS_SLOW: 2_022.0,
        sync.PRINTED: 1_011.0,
    }
    return Measured(
        rates={name: [rate] for name, rate in rates.items()},
        few=[Stored(1_600.0, 7_500.0, 290.0)],
        many=Stored(1_500.0, 7_400.0, 299.0),
        rows={sync.UPSERTS: [9_000.0], sync.WRITTEN: [5_000.0], sync.COPY: [30_000.0]},
        unchanged=Unchanged(0, 0, 0, 40_000, 9.0),
        model=Model(0.8 * CEILING, 4, 3, 3),
        refill=0.9,
        files=[{"records": 20_000, "seconds": 2.0, "peak_mib": 150.0}, {"records": 200_000, "seconds": 21.0, "peak_mib": 160.0}],
        exported=Stored(1_400.0, 7_000.0, 200.0),
        printed_cpu=[8.5],
    )


def missed(measured: Measured) -> list[str]:
    return [check.text for check in to_findings(measured).checks if not check.holds]


def test_the_ceiling_is_what_four_workers_give_in_whole_pages() -> None:
    assert pytest.approx(4 * 100 / 2.3) == CEILING


def test_a_run_in_which_all_holds_misses_nothing() -> None:
    assert missed(good()) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"few": [Stored(1_600.0, 7_499.0, 290.0)]}, "rows/s stored"),
        ({"many": Stored(1_500.0, 7_400.0, 301.0)}, "held by our worker"),
        ({"few": [Stored(1_600.0, 7_500.0, 250.0)]}, "the memory that 20,000 orders take"),
        ({"rows": {sync.UPSERTS: [8_999.0], sync.WRITTEN: [5_000.0], sync.COPY: [30_000.0]}}, "binary COPY"),
        ({"unchanged": Unchanged(1, 0, 0, 40_000, 9.0)}, "1 writes"),
        ({"unchanged": Unchanged(0, 1, 0, 40_000, 9.0)}, "1 messages"),
        ({"unchanged": Unchanged(0, 0, 0, 39_999, 9.0)}, "an unchanged shop"),
        ({"model": Model(0.79 * CEILING, 4, 3, 3)}, "the ceiling"),
        ({"model": Model(CEILING, 4, 4, 3)}, "calls at once 4 → 4"),
        ({"refill": 0.89}, "refill"),
    ],
)
def test_each_bound_is_missed_by_what_falls_short_of_it(change: dict[str, Any], words: str) -> None:
    [text] = missed(replace(good(), **change))
    assert words in text


@pytest.mark.parametrize(
    ("name", "rate", "count"),
    [
        (sync.SESSIONS, 81.0, 1),
        (sync.ADDED, 321.0, 1),
        (sync.LISTED_SLOW, 1_001.0, 1),
        (sync.OURS_SLOW, 2_021.0, 1),
        (sync.PRINTED, 1_012.0, 1),
        (sync.OURS, 1_499.0, 3),
    ],
)
def test_each_ratio_is_missed_by_a_peer_that_is_faster(name: str, rate: float, count: int) -> None:
    measured = good()
    measured.rates[name] = [rate]
    assert len(missed(measured)) == count


@pytest.mark.parametrize(("rate", "count"), [(2_022.0, 0), (2_021.0, 1)])
def test_without_airbyte_what_it_did_when_it_was_tried_is_held_against_us(rate: float, count: int) -> None:
    measured = replace(good(), skipped="pip could not install it")
    del measured.rates[sync.PRINTED]
    measured.rates[sync.OURS_SLOW] = [rate]
    assert len(missed(measured)) == count
    assert [note for note in to_findings(measured).notes if "not measured in this run (pip could not install it)" in note]


def test_a_short_run_says_how_large_its_large_shop_was() -> None:
    assert "200,000" in "".join(to_findings(good()).table)
    short = to_findings(replace(good(), large=20_000))
    assert "200,000" not in "".join([*short.table, *short.notes, *(figure.name for figure in short.figures)])
    assert "20,000 orders: 1,500 orders/s, 7,400 rows/s" in short.table


def test_the_use_of_a_small_store_is_counted_until_it_becomes_slow_and_its_callers_three_pages_later() -> None:
    # Four at once until the tenth second; then the fourth is not followed by another.
    asked = [page(number * 2.0, number * 2.0 + 2.0) for number in range(5) for _ in range(4)]
    asked += [page(9.9, 14.0, 2.0), page(9.9, 14.1, 2.0), page(9.9, 14.2, 2.0), page(9.9, 16.0, 2.0), page(14.0, 18.0, 2.0)]
    assert to_model(asked, 10.0) == Model(rate=200.0, before=4, after=2, counted=3)


def test_callers_that_do_not_fall_back_are_seen() -> None:
    asked = [page(0.0, 10.0) for _ in range(4)]
    asked += [page(9.9, 14.0, 2.0) for _ in range(3)] + [page(9.9, 14.5, 2.0)] + [page(14.0, 18.0, 2.0) for _ in range(3)]
    model = to_model(asked, 9.95)
    assert (model.before, model.after, model.counted) == (8, 4, 3)


def test_the_refill_counts_from_the_call_that_left_too_little_for_the_next() -> None:
    left = [(0.0, 1_648.0), (0.1, 1_306.0), (0.2, 300.0), (3.9, 320.0), (7.2, 340.0)]
    assert to_share([(at, 352.0, points, 712.0) for at, points in left], 100.0) == pytest.approx(704 / 700)
    assert to_share([(at * 2, 352.0, points, 712.0) for at, points in left], 100.0) == pytest.approx(704 / 1400)


def test_a_bucket_that_was_never_emptied_was_not_used() -> None:
    assert to_share([(0.0, 352.0, 1_648.0, 712.0), (10.0, 352.0, 1_648.0, 712.0)], 100.0) == 0.0
