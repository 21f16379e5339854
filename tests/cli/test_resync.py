"""A resync from the command line: asked for with who and why, followed to its end, and answered by an exit code."""

import json
import os
import pwd
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from connector.cli import app
from connector.cli import resync as command
from connector.rules.syncing import RunKind, Scope
from connector.store import sync_runs
from connector.store.audit import Actor
from connector.store.db import Database
from sync import engine
from sync.services import Services
from tests.conftest import SEALING_KEY, TestShop

WHY = "Request 4711: an order is missing"
DIGEST, OTHER = f"{0xABC:064x}", f"{0xDEF:064x}"
FIELDS = {"total": ["12.50", "99.00"], "email": ["anna.petit@example.org", None], "lines[1].quantity": ["1", "2"]}
END = "update sync_runs set state = :state, error = :error, started_at = coalesce(started_at, created_at), finished_at = app_now()"


@pytest.fixture
def call(db: Database, tmp_path: Path, shopify_shop: TestShop, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command on the shop; nobody else works, and it notices at once."""
    monkeypatch.setattr(command, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(command, "LOOK_SECONDS", 0.02)

    def run(*arguments: str, **given: Any) -> Result:
        return CliRunner().invoke(app, ["resync", shopify_shop.domain, "--why", WHY, *arguments], env=environment(db, tmp_path), **given)

    return run


@pytest.fixture
def worker(db: Database, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the next turn of work makes of the run; empty: it stays as it is."""
    plan: dict[str, Any] = {"state": "done", "error": None, "ours": DIGEST, "fields": None}

    def work(services: Services, shop_id: int) -> None:
        with db.engine.begin() as connection:
            active = "where id = (select max(id) from sync_runs where state in ('waiting', 'running'))"
            run = connection.execute(text(f"select id, is_dry_run from sync_runs {active}")).one_or_none()
            if run is None or not plan["state"]:
                return
            is_equal = plan["ours"] == DIGEST or not run.is_dry_run
            values = {"id": run.id, "ours": DIGEST if is_equal and plan["ours"] != "" else OTHER, "rest": 0 if is_equal else 1}
            slices = "update sync_slices set state = 'done', seen = 5, unchanged = 4, changed = 1, remaining = :rest"
            connection.execute(text(f"{slices}, store_sum = '{DIGEST}', ours_sum = :ours where run_id = :id"), values)
            if plan["fields"] is not None:
                statement = """
                    insert into sync_differences (run_id, shop_id, resource, platform_id, kind, fields, is_applied, at)
                    values (:id, :shop, 'order', '1001', 'changed', cast(:fields as jsonb), false, app_now())
                """
                connection.execute(text(statement), {"id": run.id, "shop": shop_id, "fields": json.dumps(plan["fields"])})
            connection.execute(text(f"{END} {active}"), {"state": plan["state"], "error": plan["error"]})

    monkeypatch.setattr(engine, "work", work)
    return plan


def environment(db: Database, data_dir: Path) -> dict[str, str]:
    named = {"DATABASE_URL": db.url, "DATA_DIR": str(data_dir), "SEALING_KEY": SEALING_KEY, "PUBLIC_URL": "https://connector.test"}
    return named | {"SANDBOX": "true"}


def runs(db: Database) -> list[dict[str, Any]]:
    with db.engine.begin() as connection:
        return [dict(row) for row in connection.execute(text("select * from sync_runs order by id")).mappings()]


def words(result: Result) -> str:
    return " ".join(result.output.replace("│", " ").split())


def test_a_resync_that_leaves_no_difference_ends_with_zero(call: Callable[..., Result], worker: dict[str, Any], db: Database) -> None:
    result = call("--yes", "--what", "orders", "--since", "2026-01-01")
    assert result.exit_code == 0, result.output
    for part in (
        "Resync",
        "10 compared, 0 missing, 2 changed",
        f"digest of ours {2 * 0xABC:064x}",
        "0 differences in every field the API returns.",
    ):
        assert part in words(result)
    (made,) = runs(db)
    who = f"command line ({pwd.getpwuid(os.getuid()).pw_name})"
    assert (made["is_dry_run"], made["asked_by"], made["reason"]) == (False, who, WHY)
    assert (made["scope"]["resources"], made["scope"]["since"]) == (["order"], "2026-01-01T00:00:00+01:00")
    with db.engine.begin() as connection:
        entry = connection.execute(text("select actor, action, reason from audit_entries where action like 'resync.%'")).one()
    assert tuple(entry) == (who, "resync.asked", WHY)


def test_a_dry_run_prints_what_differs_without_who_it_is(call: Callable[..., Result], worker: dict[str, Any], db: Database) -> None:
    worker.update(ours=OTHER, fields=FIELDS)
    result = call("--dry-run")
    assert result.exit_code == 1
    seen = words(result)
    for part in ("orders 1001: different", "total", "12.50", "99.00", "line 1, quantity", "a•••@e•••.org", "nothing was changed."):
        assert part in seen
    assert "anna.petit" not in seen
    assert [one["is_dry_run"] for one in runs(db)] == [True]


def test_a_dry_run_without_a_difference_ends_with_zero(call: Callable[..., Result], worker: dict[str, Any]) -> None:
    assert call("--dry-run", "--what", "customers", "--id", "17").exit_code == 0


def test_what_differs_is_applied_when_somebody_says_yes(
    call: Callable[..., Result], worker: dict[str, Any], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "is_attended", lambda: True)
    worker.update(ours=OTHER, fields=FIELDS)
    refused = call("--what", "orders", input="n\n")
    assert (refused.exit_code, "Nothing was changed." in refused.output) == (1, True)
    result = call("--what", "orders", input="y\n")
    assert result.exit_code == 0, result.output
    assert "0 differences in every field the API returns." in result.output
    made = runs(db)
    assert [(one["is_dry_run"], one["dry_run_id"]) for one in made] == [(True, None), (True, None), (False, made[1]["id"])]


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ({"state": "failed", "error": "order: 12 of the 20 records came"}, "Not everything could be read: order: 12 of the 20"),
        ({"state": "cancelled"}, "The run was cancelled. What it had written stays"),
        ({"ours": ""}, "Not everything is as the store has it."),
    ],
)
def test_what_is_not_proven_ends_with_one(call: Callable[..., Result], worker: dict[str, Any], plan: dict[str, Any], told: str) -> None:
    worker.update(plan)
    result = call("--yes", "--what", "orders")
    assert (result.exit_code, told in words(result)) == (1, True), result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--what", "baskets"), "Say what to read again"),
        (("--yes", "--since", "yesterday"), "This is no day"),
        (("--yes", "--id", "17"), "One record is of one kind"),
        (("--yes", "--why", "x"), "at least 5 signs"),
        ((), "Nobody is here to say yes"),
    ],
)
def test_what_makes_no_sense_ends_with_two(call: Callable[..., Result], db: Database, arguments: tuple[str, ...], told: str) -> None:
    result = call(*(("--dry-run", *arguments) if arguments and arguments[0] == "--what" else arguments))
    assert (result.exit_code, told in words(result)) == (2, True), result.output
    assert runs(db) == []


def test_without_a_reason_nothing_begins(db: Database) -> None:
    assert CliRunner().invoke(app, ["resync", "demo.myshopify.com", "--yes"], env={"DATABASE_URL": db.url}).exit_code == 2


def test_a_run_that_is_under_way_is_followed_and_nothing_else_begins(
    call: Callable[..., Result], worker: dict[str, Any], db: Database, shopify_shop: TestShop
) -> None:
    with db.transaction(shop=shopify_shop.id) as session:
        sync_runs.begin(session, shopify_shop.id, RunKind.RESYNC, Scope(), actor=Actor("staff stf_anna"), reason="Request 1")
    result = call("--yes", "--what", "orders")
    assert result.exit_code == 0
    assert "is under way, asked for by staff stf_anna: Request 1" in words(result)
    assert len(runs(db)) == 1


def test_leaving_leaves_the_run_going(
    call: Callable[..., Result], worker: dict[str, Any], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker["state"] = ""
    naps = iter(range(3))

    def nap(seconds: float) -> None:
        if next(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", nap)
    result = call("--yes", "--what", "orders")
    assert result.exit_code == 130
    assert "The run goes on without this command." in words(result)
    assert "https://connector.test/support/shops/shp_" in words(result)
    assert [one["state"] for one in runs(db)] == ["waiting"]


def test_a_store_that_is_lost_meanwhile_is_not_waited_for(
    call: Callable[..., Result], worker: dict[str, Any], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker["state"] = ""

    def lose(seconds: float) -> None:
        with db.engine.begin() as connection:
            connection.execute(text("update shops set state = 'needs_sign_in'"))

    monkeypatch.setattr(time, "sleep", lose)
    result = call("--yes", "--what", "orders")
    assert (result.exit_code, "The shop is not connected any more" in words(result)) == (1, True)
    assert [one["state"] for one in runs(db)] == ["waiting"]


def test_a_shop_that_is_not_there_is_said_in_one_line(db: Database, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["resync", "nowhere.example", "--yes", "--why", WHY], env=environment(db, tmp_path))
    assert (result.exit_code, result.stdout.strip()) == (1, "there is no shop 'nowhere.example'")


def test_a_fault_of_ours_is_said_and_not_waited_for(call: Callable[..., Result], db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(services: Services, shop_id: int) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(engine, "work", fail)
    result = call("--yes", "--what", "orders")
    assert (result.exit_code, "cannot be worked on here (RuntimeError)" in words(result)) == (1, True), result.output
