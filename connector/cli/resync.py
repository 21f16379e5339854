"""A resync from the command line: asked for, followed with a bar, and answered with its proof."""

import os
import pwd
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from connector.cli.doctor import logs_aside
from connector.cli.process import console, upgrade, with_database
from connector.config import Settings
from connector.errors import Refused
from connector.rules import resyncing
from connector.rules.resyncing import Asked, Proof, Verdict, read_scope
from connector.rules.syncing import ACTIVE, RunState, Scope
from connector.rules.zones import zone
from connector.store import shops, sync_browsing, sync_runs
from connector.store.audit import Actor
from connector.store.db import app_now
from connector.store.run_tables import SyncDifferenceRow, SyncRunRow
from connector.store.sync_runs import RunView
from connector.store.tables import ShopRow
from connector.web.composition import Composition, compose
from connector.web.support.sync_lines import proof_of
from connector.web.support.sync_masks import shown_value
from connector.web.sync_phrases import DIFFERENCES, KINDS, field_order, field_text, rate_text, shown_id, span_text
from sync import engine, resync

USAGE = 2
LOOK_SECONDS = 0.3
GRACE_SECONDS = 3.0
"""A run that nobody takes up for so long is worked on here: no workers run."""
LEAVE_SECONDS = 3.0
MOST_FAILURES = 3
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look at a run: how it stands, whether its shop is connected, and whether somebody works on it or it has to wait."""

    view: RunView
    now: datetime
    is_connected: bool

    @property
    def is_idle(self) -> bool:
        run = self.view.run
        return run.state in (RunState.WAITING, RunState.RUNNING) and run.due_at <= self.now and (run.leased_until or self.now) <= self.now


def run(settings: Settings, name: str, asked: Asked, *, why: str, is_dry_run: bool, is_sure: bool) -> int:
    """
    Resync a shop; 0 if nothing differs from the store in the end, 1 if something does or it failed, 2 for what makes no sense.

    Without `is_sure` what differs is shown first, and somebody must say yes. Raises NotFound.
    """
    if not (is_dry_run or is_sure or is_attended()):
        return _refuse("Nobody is here to say yes: give --yes to write at once, or --dry-run to look only.")
    with logs_aside(), with_database(settings) as ready:
        upgrade(ready)
        with compose(ready) as parts:
            with parts.db.system_transaction("a resync on the command line") as session:
                shop, now = shops.find_shop(session, name), app_now(session)
            try:
                resyncing.check_reason(why)
                scope = read_scope(asked, zone(shop.timezone), now)
            except Refused as error:
                return _refuse(str(error))
            try:
                return _carry_out(parts, shop, scope, why, is_dry_run=is_dry_run, is_sure=is_sure)
            except KeyboardInterrupt:
                console.print(f"\nThe run goes on without this command. See how far it is: {_page(parts, shop)}", highlight=False)
                console.print("Workers go on with it where they run; the same command follows it again, and its page can cancel it.")
                return 130


def is_attended() -> bool:
    """Whether somebody is there who can say yes."""
    return sys.stdin.isatty()


def _carry_out(parts: Composition, shop: ShopRow, scope: Scope, why: str, *, is_dry_run: bool, is_sure: bool) -> int:
    looks_only = is_dry_run or not is_sure
    with parts.db.system_transaction("a resync on the command line") as session:
        begun, is_new = resync.request(session, shop, scope, actor=_actor(), reason=why, is_dry_run=looks_only)
    if not is_new:
        console.print(f"A resync of this shop is under way, asked for by {escape(begun.asked_by)}: {escape(begun.reason)}")
        console.print("Nothing else was started; this follows it.")
    view = _follow(parts, shop, begun)
    code = _tell(parts, shop, view)
    if not is_new or is_dry_run or is_sure or code == 0 or view.run.state != RunState.DONE:
        return code
    if not typer.confirm("Apply this?"):
        console.print("Nothing was changed.")
        return code
    with parts.db.system_transaction("a resync on the command line") as session:
        dry_run = sync_runs.find_run(session, view.run.shop_id, view.run.public_id, lock=True)
        applied, _ = resync.apply(session, shop, dry_run, actor=_actor(), reason=why)
    return _tell(parts, shop, _follow(parts, shop, applied))


def _follow(parts: Composition, shop: ShopRow, begun: SyncRunRow) -> RunView:
    """Draw how far it is until it is over. Raises Refused if the shop is not connected any more."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
    idle_since: float | None = None
    with Progress(*columns, console=console) as bar, _Helper(parts, begun.shop_id) as helper:
        task = bar.add_task("Dry run" if begun.is_dry_run else "Resync", total=None, words="")
        while True:
            seen = _look(parts, shop, begun)
            _draw(bar, task, seen)
            if seen.view.run.state not in ACTIVE:
                return seen.view
            if not seen.is_connected:
                raise Refused("The shop is not connected any more: the run goes on when it is connected again.")
            idle_since = (idle_since or time.monotonic()) if seen.is_idle else None
            if idle_since is not None and time.monotonic() - idle_since >= GRACE_SECONDS:
                helper.help()
            if helper.fault:
                raise Refused(f"The run cannot be worked on here ({helper.fault}): the log on the standard error says more.")
            time.sleep(LOOK_SECONDS)


class _Helper:
    """Works on a shop's runs in this process, where no workers do. `fault`: why it gave up, if it did."""

    def __init__(self, parts: Composition, shop_id: int) -> None:
        self._parts = parts
        self._shop_id = shop_id
        self._is_leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self.fault = ""

    def __enter__(self) -> "_Helper":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_leaving.set()
        if self._thread is not None:
            self._thread.join(LEAVE_SECONDS)

    def help(self) -> None:
        """Begin, if that was not done yet."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="resync", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        failures = 0
        while not self._is_leaving.wait(LOOK_SECONDS):
            try:
                engine.work(self._parts.services, self._shop_id)
                failures = 0
            except Exception as error:  # as a worker would: what a store does wrong is on the run, this is a fault of ours
                failures += 1
                structlog.get_logger().warning("job.failed", shop_id=self._shop_id, error=type(error).__name__)
                if failures >= MOST_FAILURES:
                    self.fault = type(error).__name__
                    return


def _look(parts: Composition, shop: ShopRow, begun: SyncRunRow) -> _Seen:
    with parts.db.transaction(shop=begun.shop_id) as session:
        found = sync_runs.find_run(session, begun.shop_id, begun.public_id)
        return _Seen(sync_runs.view(session, found), app_now(session), shops.get_shop(session, begun.shop_id).state == "connected")


def _draw(bar: Progress, task: TaskID, seen: _Seen) -> None:
    run, progress = seen.view.run, seen.view.progress
    of = "" if progress.total is None else f" of {max(progress.total, progress.done):,}"
    parts = [f"{progress.done:,}{of}", rate_text(progress.rate, str, "en"), run.state if run.state != RunState.RUNNING else ""]
    if progress.eta_seconds is not None and run.state == RunState.RUNNING:
        parts.append(f"{span_text(timedelta(seconds=progress.eta_seconds), str, 'en')} left")
    if run.error and run.state in ACTIVE:
        parts.append(f"last: {run.error}")
    total = None if progress.total is None else max(progress.total, progress.done, 1)
    bar.update(task, completed=progress.done, total=total, words=escape(", ".join(part for part in parts if part)))


def _tell(parts: Composition, shop: ShopRow, view: RunView) -> int:
    """Print what differs and what is proven; the exit code."""
    assert view.run.id is not None
    with parts.db.transaction(shop=view.run.shop_id) as session:
        rows = sync_runs.list_differences(session, view.run.id, 0, MOST_SHOWN)
        kept = sum(sync_browsing.count_differences(session, view.run.id).values())
    proof = proof_of(view)
    if view.run.is_dry_run and rows:
        _print_differences(rows, kept, f"{_page(parts, shop)}/{view.run.public_id}")
    if proof is None:
        console.print(f"The run was cancelled. What it had written stays: {_page(parts, shop)}/{view.run.public_id}", highlight=False)
        return 1
    _print_proof(view, proof)
    return 0 if proof.is_equal else 1


def _print_differences(rows: Sequence[SyncDifferenceRow], kept: int, page: str) -> None:
    table = Table("record", "field", "ours", "the store's", title="What differs", title_justify="left", show_lines=True)
    for row in rows:
        name = f"{KINDS[row.resource].lower()} {shown_id(row.resource, row.platform_id)}: {DIFFERENCES[row.kind]}"
        fields = sorted(row.fields.items(), key=lambda item: field_order(item[0]))
        values = [(field_text(one, str), *(shown_value(one, value, row.resource) for value in pair)) for one, pair in fields]
        columns = ("\n".join(escape(value[at]) for value in values) for at in range(3))
        table.add_row(escape(name), *columns)
    console.print(table)
    if kept > len(rows):
        console.print(f"{kept - len(rows)} more: {page}", highlight=False)


def _print_proof(view: RunView, proof: Proof) -> None:
    names = ("compared", "missing", "changed", "newer", "unreadable", "unrecoverable")
    console.print(", ".join(f"{getattr(proof, name):,} {name}" for name in names) + f", {proof.differing:,} still different")
    if proof.hidden:
        console.print(f"[yellow]Not shown to us by the store: {', '.join(KINDS[one].lower() for one in proof.hidden)}[/yellow]")
    console.print(f"digest of the store's {proof.store_digest}\ndigest of ours        {proof.ours_digest}", highlight=False)
    if proof.verdict is Verdict.EQUAL:
        console.print("[green]0 differences in every field the API returns.[/green]")
    elif proof.verdict is Verdict.DIFFERS:
        found = "The dry run found differences; nothing was changed." if view.run.is_dry_run else "Not everything is as the store has it."
        console.print(f"[yellow]{found}[/yellow]")
    else:
        console.print(f"[red]Not everything could be read: {escape(view.run.error or 'see the run')}[/red]")


def _page(parts: Composition, shop: ShopRow) -> str:
    return f"{parts.settings.public_url.rstrip('/')}/support/shops/{shop.public_id}/sync"


def _actor() -> Actor:
    """Who gives the command, by their account on this machine."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Actor(f"command line ({name})")


def _refuse(words: str) -> int:
    console.print(f"[red]{escape(words)}[/red]", highlight=False)
    return USAGE
