"""The versions of checkouts that were seen, in whatever order they came: what the last activity is computed from."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.canonical import Checkout
from connector.rules.abandonment import ActivityClock, Version, last_activity, to_version
from connector.rules.precedence import Rank
from connector.store.db import Session, run
from connector.store.upserts import as_array, as_json


@dataclass(frozen=True, slots=True)
class Seen:
    """One version with its rank."""

    rank: Rank
    version: Version


class History:
    """All versions of one checkout. Of the same content at the same instant only the latest trigger counts."""

    def __init__(self, seen: Iterable[Seen] = ()) -> None:
        self._seen = {(one.rank.version, one.rank.digest): one for one in seen}
        self._new: set[tuple[datetime, str]] = set()

    def add(self, rank: Rank, checkout: Checkout) -> None:
        """Take in a version; one that is known already changes nothing."""
        slot = rank.version, rank.digest
        held = self._seen.get(slot)
        if held is None or rank > held.rank:
            self._seen[slot] = Seen(rank, held.version if held else to_version(checkout))
            self._new.add(slot)

    def last_activity(self, clock: ActivityClock) -> datetime:
        """T0 by all versions."""
        return last_activity([one.version for one in sorted(self._seen.values(), key=lambda one: one.rank)], clock)

    def new_rows(self, checkout_id: int) -> list[dict[str, Any]]:
        """The rows of the versions that were added."""
        return [_row(checkout_id, self._seen[slot]) for slot in self._new]


def load_histories(session: Session, checkout_ids: Sequence[int], clock: ActivityClock) -> dict[int, History]:
    """What was seen of each of these checkouts; nothing where there is no version. Quantities only if the clock asks for them."""
    if not checkout_ids:
        return {}
    seen: dict[int, list[Seen]] = defaultdict(list)
    values = {"ids": as_array(checkout_ids), "counted": clock is ActivityClock.ADDITION}
    for checkout_id, at, triggered_at, progress, digest, fingerprint, quantities in run(session, _LOAD, values):
        seen[checkout_id].append(Seen(Rank(at, triggered_at, progress, digest), Version(at, fingerprint, quantities or {})))
    return {checkout_id: History(versions) for checkout_id, versions in seen.items()}


def save_versions(session: Session, shop_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep new versions, or the later trigger of known ones."""
    if rows:
        run(session, _SAVE, {"shop": shop_id, "rows": as_json(rows)})


def _row(checkout_id: int, seen: Seen) -> dict[str, Any]:
    return {
        "checkout_id": checkout_id,
        "source_version": seen.rank.version,
        "source_triggered_at": seen.rank.triggered_at,
        "source_progress": seen.rank.progress,
        "source_digest": seen.rank.digest,
        "fingerprint": seen.version.fingerprint,
        "quantities": seen.version.quantities,
    }


_LOAD = """
    select checkout_id, source_version, source_triggered_at, source_progress, source_digest, fingerprint,
           case when %(counted)s then quantities end
    from checkout_versions where checkout_id = any(cast(%(ids)s as bigint[]))
"""
_COLUMNS = "checkout_id, source_version, source_triggered_at, source_progress, source_digest, fingerprint, quantities"
_SAVE = f"""
    insert into checkout_versions (shop_id, {_COLUMNS})
    select %(shop)s, {_COLUMNS} from json_populate_recordset(null::checkout_versions, cast(%(rows)s as json))
    on conflict (checkout_id, source_version, source_digest) do update set source_triggered_at = excluded.source_triggered_at
    where excluded.source_triggered_at > checkout_versions.source_triggered_at
"""
