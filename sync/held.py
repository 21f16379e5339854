"""A run that this worker holds: how its store is asked and its rows are changed, each time with a word that we are still there."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from connector.canonical import Resource
from connector.platforms import Access, Platform, Reads
from connector.rules.syncing import RunKind
from connector.store import deliveries, shops, slices, sync_runs
from connector.store.db import Session, app_now, wake_after_commit
from connector.store.growth import Growth
from connector.store.run_tables import SyncRunRow, SyncSliceRow
from connector.store.work import hold_inbox
from sync import taking
from sync.access import call_shop
from sync.jobs import Job
from sync.services import Services
from sync.taking import Found

T = TypeVar("T")


class LostLease(Exception):
    """The run is somebody else's now, or was paused or cancelled."""


@dataclass(frozen=True, slots=True)
class Held:
    """A claimed run, and what its store can be asked."""

    services: Services
    run: SyncRunRow
    platform: Platform
    reads: Reads
    growth: defaultdict[int, Growth] = field(default_factory=lambda: defaultdict(Growth))
    """Of each slice: the next one fills other tables."""

    @property
    def shop_id(self) -> int:
        """Its shop."""
        return self.run.shop_id

    @property
    def run_id(self) -> int:
        """Its key."""
        assert self.run.id is not None
        return self.run.id

    @property
    def is_resync(self) -> bool:
        """Whether somebody asked for it, and wants to read what differed."""
        return self.run.kind == RunKind.RESYNC

    def ask(self, call: Callable[[Access], T]) -> T:
        """Ask the store with living credentials. Raises PlatformError, NotFound."""
        return call_shop(self.services, self.shop_id, call)

    def now(self) -> datetime:
        """The database's instant."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return app_now(session)

    def stay(self) -> None:
        """Say that we still work on it. Raises LostLease."""
        self.change(lambda session: None)

    def change(self, change: Callable[[Session], None]) -> None:
        """Change something of the run. Raises LostLease."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            if not sync_runs.hold(session, self.run):
                raise LostLease
            change(session)

    def write(self, slice_: SyncSliceRow, found: Found, checkpoint: Callable[[Session], None], read_at: datetime) -> None:
        """
        Compare and write what was found, with the checkpoint, or nothing of it. Raises LostLease.

        `read_at`: when the store was asked, or before. Of a resync it is read back and compared once more: that is the proof.
        """
        with self.services.db.transaction(shop=self.shop_id) as session:
            if not sync_runs.hold(session, self.run):
                raise LostLease
            shop = hold_inbox(session, self.shop_id)
            if shop is None:
                raise LostLease
            self.growth[slice_.position].note(session, found.seen)
            is_dry_proof = self.is_resync and self.run.is_dry_run
            taken = taking.take(session, self.services, shop, found, read_at, is_dry_run=self.run.is_dry_run, is_digested=is_dry_proof)
            is_proven = self.is_resync and not self.run.is_dry_run
            after = taking.again(session, self.services, shop, found, read_at) if is_proven else None
            slices.note(session, self.run, slice_, found, taken, after, read_at, keeps_differences=self.is_resync)
            if found.withheld and not self.run.is_dry_run:
                shops.note_withheld(session, self.shop_id, found.withheld, Resource(slice_.resource))
            checkpoint(session)
        self._ring_for_turned_away()

    def _ring_for_turned_away(self) -> None:
        """Whoever rang for the inbox while we held it was turned away; what came for them shows only now, when we do not."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            if deliveries.has_pending(session, self.shop_id):
                wake_after_commit(session, Job.APPLY.value, self.shop_id)
