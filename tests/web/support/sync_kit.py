"""Runs as workers leave them, for pages that show them: their slices, what differed, and what is known of a shop beside."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.canonical import Resource
from connector.rules.syncing import RunKind, RunState, Scope, SliceState
from connector.store import sync_runs
from connector.store.audit import SYSTEM, Actor
from connector.store.run_tables import SyncDifferenceRow, SyncRunRow
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import run

WHY = "Request 4711: an order is missing"
ORDERS = Scope((Resource.ORDER,))
CHANGED = {
    "total": ["12.50", "99.00"],
    "email": ["anna.petit@example.org", "bruno.durand@example.org"],
    "lines[1].quantity": ["1", None],
    "discount_codes": [None, "WELCOME-7F3K"],
    "checkout_token": [None, "tok-secret-1"],
}
DIGEST, OTHER_DIGEST = f"{0xABC:064x}", f"{0xDEF:064x}"


def begin(
    parts: Composition, shop: TestShop, scope: Scope = ORDERS, *, kind: RunKind = RunKind.RESYNC, is_dry_run: bool = False, **given: Any
) -> SyncRunRow:
    """Begin a run as support does."""
    values = {"actor": SYSTEM if kind is RunKind.BACKFILL else Actor("staff stf_anna"), "reason": WHY} | given
    with parts.db.transaction(shop=shop.id) as session:
        made, _ = sync_runs.begin(session, shop.id, kind, scope, is_dry_run=is_dry_run, **values)
    return made


def work(parts: Composition, made: SyncRunRow, state: RunState = RunState.RUNNING, **counts: Any) -> None:
    """It is in this state now, `counts` and all, as many in each first slice; begun 100 seconds ago."""
    now = datetime.now(UTC)
    over = now if state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED) else None
    names = ", ".join(f"{name} = :{name}" for name in counts)
    changes = {"state": (SliceState.DONE if state is RunState.DONE else SliceState.OPEN).value, "at": now, "id": made.id}
    run(
        parts,
        f"update sync_slices set state = :state, started_at = :at{', ' + names if names else ''} where run_id = :id and since is null",
        **changes,
        **counts,
    )
    if state is RunState.DONE:
        run(parts, "update sync_slices set state = 'done', finished_at = :at where run_id = :id", at=now, id=made.id)
    statement = "update sync_runs set state = :state, started_at = :began, finished_at = :over where id = :id"
    run(parts, statement, state=state.value, began=now - timedelta(seconds=100), over=over, id=made.id)


def differ(
    parts: Composition, made: SyncRunRow, platform_id: str = "1001", kind: str = "changed", fields: Any = CHANGED, **given: Any
) -> None:
    """It found a record that differs."""
    values = {"resource": Resource.ORDER.value, "is_applied": False} | given
    with parts.db.transaction(shop=made.shop_id) as session:
        row = SyncDifferenceRow(
            run_id=made.id or 0,
            shop_id=made.shop_id,
            platform_id=platform_id,
            kind=kind,
            fields=json.loads(json.dumps(fields)),
            at=datetime.now(UTC),
            **values,
        )
        session.add(row)


def know(parts: Composition, shop: TestShop) -> None:
    """What is known beside: marks, an outage, a record that makes no sense, a topic that is silent."""
    run(
        parts,
        """
        insert into sync_marks (shop_id, resource, good_until, missed, missed_at, walked_at, error) values
            (:shop, 'order', app_now() - interval '12 minutes', 37, app_now() - interval '1 hour', app_now() - interval '5 hours', null),
            (:shop, 'customer', null, 0, null, null, 'Access denied for customers');
        """,
        shop=shop.id,
    )
    run(
        parts,
        """
        insert into gap_reports (public_id, shop_id, since, until, topics, recovered, unrecoverable, messages, created_at)
        values ('gap_1', :shop, '2026-11-20 01:10+00', '2026-11-20 04:40+00', '{orders/updated}', cast(:recovered as jsonb),
            cast(:lost as jsonb), 0, app_now())
        """,
        shop=shop.id,
        recovered=json.dumps({"order": 37, "customer": 0}),
        lost=json.dumps([{"resource": "checkout", "platform_id": "c0ffee" * 6}] * 12),
    )
    run(
        parts,
        """
        insert into quarantined_records (shop_id, resource, platform_id, reason, first_at, last_at, times)
        values (:shop, 'order', '5005', 'currency', app_now() - interval '2 days', app_now(), 3)
        """,
        shop=shop.id,
    )
    run(
        parts,
        """
        insert into topic_health (shop_id, topic, changed_at, heard_at, silent_since, checked_at, fallback_at) values
            (:shop, 'orders/updated', app_now(), app_now() - interval '3 hours', app_now() - interval '1 hour', app_now(), app_now()),
            (:shop, 'products/update', app_now(), app_now(), null, app_now(), null)
        """,
        shop=shop.id,
    )
