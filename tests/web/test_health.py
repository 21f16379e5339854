"""What we tell load balancers and those who watch, and how fast."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from starlette.testclient import TestClient

from connector.store.db import Database
from connector.store.figures import READ
from connector.store.readiness import BEHIND, SILENT, UNWRITABLE, Readiness, newest_versions
from connector.web.composition import Composition
from connector.web.health import LEAVING, NO_ROOM, Health, free_bytes
from tests.conftest import TestShop
from tests.web.conftest import Seed, abandon, browser, run, turn_on
from tests.webhooks.line import Line, line_to

anyio = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests run on asyncio."""
    return "asyncio"


@dataclass
class FakeInbox:
    """An inbox that fails until it is told otherwise."""

    is_failing: bool = True
    waiting: int = 3

    def hope(self) -> None:
        """Fine again."""
        self.is_failing = False


@asynccontextmanager
async def looking(parts: Composition, inbox: FakeInbox | None = None) -> AsyncIterator[Health]:
    """The health of a process that runs."""
    health = Health(parts, inbox)
    health.start()
    try:
        yield health
    finally:
        await health.stop()


def test_the_process_says_that_it_lives_and_which_one_it_is(client: TestClient, parts: Composition) -> None:
    for answer in (client.get("/livez"), client.head("/livez")):
        assert answer.status_code == 200
        assert answer.headers["x-connector-instance"] == parts.instance


def test_it_is_ready_with_a_migrated_database_only(make_parts: Callable[..., Composition]) -> None:
    def answer() -> tuple[int, str]:
        found = browser(make_parts()).get("/readyz")
        return found.status_code, found.text

    assert answer() == (200, "ready\n")
    parts = make_parts()
    run(parts, "update alembic_version set version_num = '0000'")
    try:
        assert answer() == (503, f"{BEHIND}\n")
    finally:
        run(parts, "update alembic_version set version_num = :newest", newest="".join(newest_versions()))
    assert browser(make_parts()).head("/readyz").status_code == 200


@anyio
async def test_a_database_without_tables_is_not_migrated(database_url: str) -> None:
    look = Readiness(make_url(database_url).set(database="postgres").render_as_string(hide_password=False))
    assert await look.problem() == BEHIND
    await look.close()


@anyio
async def test_a_database_that_is_away_is_not_ready() -> None:
    look = Readiness("postgresql://nobody@127.0.0.1:1/none")
    assert await look.problem() == SILENT


def test_a_full_disk_is_named(make_parts: Callable[..., Composition]) -> None:
    answer = browser(make_parts(min_free_bytes=2**62)).get("/readyz")
    assert (answer.status_code, answer.text) == (503, f"{NO_ROOM}\n")


def test_the_room_of_a_directory_that_is_not_there_yet_is_that_of_its_disk(tmp_path: Path) -> None:
    here = free_bytes(tmp_path)
    there = free_bytes(tmp_path / "not" / "there" / "yet")
    assert here is not None
    assert there is not None
    assert abs(here - there) < 2**30
    (tmp_path / "file").write_text("")
    assert free_bytes(tmp_path / "file" / "below") is None


def test_a_process_that_leaves_is_not_ready_and_says_every_reason(make_parts: Callable[..., Composition]) -> None:
    parts = make_parts(min_free_bytes=2**62)
    parts.departure.begin()
    answer = browser(parts).get("/readyz")
    assert (answer.status_code, answer.text) == (503, f"{LEAVING}\n{NO_ROOM}\n")
    assert browser(parts).get("/livez").status_code == 200


@anyio
@pytest.mark.spec("RL-152")
async def test_a_database_that_hangs_costs_no_more_than_two_seconds(parts: Composition, socket_dir: Path) -> None:
    async with line_to(parts.db.url, socket_dir) as line, behind(parts, line) as health:
        assert await health.problems() == []
        line.go_dead()
        await asyncio.sleep(0.3)
        for _ in range(3):
            began = time.monotonic()
            found = await asyncio.gather(*(health.problems() for _ in range(20)))
            assert time.monotonic() - began < 2
            assert found == [[SILENT]] * 20
            began = time.monotonic()
            assert "connector_database_up 0" in await health.text()
            assert time.monotonic() - began < 2
        line.revive()
        async with asyncio.timeout(10):
            while await health.problems() or "connector_database_up 1" not in await health.text():
                pass  # each look takes its time


@anyio
async def test_a_database_that_is_only_slow_is_ready_as_soon_as_the_connection_stands(parts: Composition, socket_dir: Path) -> None:
    async with line_to(parts.db.url, socket_dir) as line, behind(parts, line) as health:
        line.delay_seconds = 0.6
        async with asyncio.timeout(10):
            while await health.problems():
                pass  # each look takes its time
        await asyncio.sleep(0.3)
        began = time.monotonic()
        assert await health.problems() == []
        assert 0.5 < time.monotonic() - began < 1.5


@asynccontextmanager
async def behind(parts: Composition, line: Line) -> AsyncIterator[Health]:
    """The same process, but its looks go through a line that can fail."""
    health = Health(parts)
    health._readiness._url = health._figures._url = line.url
    health.start()
    try:
        yield health
    finally:
        line.revive()
        await health.stop()


@anyio
@pytest.mark.spec("RL-106")
async def test_an_inbox_that_cannot_write_is_tried_out_until_it_can(parts: Composition, db: Database) -> None:
    inbox = FakeInbox()
    forbid = (
        "create function refuse_deliveries() returns trigger language plpgsql as 'begin raise exception using errcode = ''53100''; end'"
    )
    run(parts, forbid)
    run(parts, "create trigger refusing before insert on deliveries for each row execute function refuse_deliveries()")
    try:
        async with looking(parts, inbox) as health:
            assert await health.problems() == [UNWRITABLE]
            await asyncio.sleep(0.3)
            assert await health.problems() == [UNWRITABLE], "tried again after a second only, and not believed until then"
            run(parts, "drop trigger refusing on deliveries")
            assert await health.problems() == [UNWRITABLE]
            await asyncio.sleep(0.8)
            assert await health.problems() == [UNWRITABLE], "once is not enough"
            await asyncio.sleep(1.1)
            assert await health.problems() == []
            assert not inbox.is_failing
    finally:
        run(parts, "drop trigger if exists refusing on deliveries")
        run(parts, "drop function refuse_deliveries()")
    with db.system_transaction("look at the inbox") as session:
        assert session.execute(text("select count(*) from deliveries")).scalar_one() == 0
        assert session.execute(text("select count(*) from delivery_bodies")).scalar_one() == 0


# ---------------------------------------------------------------- figures


def figures(text_: str) -> dict[str, float]:
    """The lines of an exposition, and that each is well formed."""
    found = {}
    for line in text_.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'(connector_[a-z_]+(?:\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})?) (\S+)', line)
            assert match, line
            assert match[1] not in found
            found[match[1]] = float(match[2])
    return found


def test_metrics_are_for_the_operator(make_parts: Callable[..., Composition]) -> None:
    parts = make_parts(sandbox=False)
    stranger = browser(parts, address="203.0.113.7")
    assert stranger.get("/metrics").status_code == 401
    answer = stranger.get("/metrics", auth=("operator", "operator-key-for-tests"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert browser(make_parts(), address="203.0.113.7").get("/metrics").status_code == 403


def test_what_waits_in_the_database_is_told(parts: Composition, client: TestClient, seed: Seed, shopify_shop: TestShop) -> None:
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=90, platform_id="t1", token="t1", email="a@example.test")
    abandon(parts, shopify_shop)
    seed(shopify_shop, minutes=90, platform_id="t2", token="t2", email="b@example.test")
    keep = """
        insert into deliveries (key, shop_id, platform, topic, state, received_at, received_on)
        select decode(lpad(to_hex(n), 64, '0'), 'hex'), :shop, 'shopify', 'checkouts/update',
            case when n > 3 then 'quarantined' else 'pending' end, now() - interval '1 minute' * n, now()::date from generate_series(1, 5) n
    """
    run(parts, keep, shop=shopify_shop.id)
    run(parts, "update messages set due_at = now() - interval '90 seconds'")
    found = figures(client.get("/metrics").text)
    assert found["connector_database_up"] == 1
    assert found['connector_deliveries_waiting{stage="pending"}'] == 3
    assert found['connector_deliveries_waiting{stage="quarantined"}'] == 2
    assert 59 < found['connector_deliveries_oldest_waiting_seconds{stage="pending"}'] < 70, "the first that came is the first to go"
    assert (found['connector_due{what="checkout"}'], found['connector_due{what="message"}']) == (1, 1)
    assert 25 * 60 < found['connector_due_lateness_seconds{what="checkout"}'] < 35 * 60
    assert 89 < found['connector_due_lateness_seconds{what="message"}'] < 100
    assert found['connector_messages_open{state="queued"}'] == 1


def test_no_figure_names_a_shop_or_a_person(parts: Composition, client: TestClient, seed: Seed, shopify_shop: TestShop) -> None:
    seed(shopify_shop, email="anna@example.test")
    parts.metrics.call_ended("shopify", "read_products", "throttled", 0.2)
    parts.metrics.throttled("shopify", "read_products", 2.0)
    said = client.get("/metrics").text
    for word in ("anna", "demo.myshopify.com", "Démo", "shp_", "chk_", "shop_id"):
        assert word not in said
    found = figures(said)
    assert found['connector_platform_calls_total{platform="shopify",call="read_products",outcome="throttled"}'] == 1
    assert found['connector_platform_throttles_total{platform="shopify",call="read_products"}'] == 1
    assert found['connector_platform_throttle_seconds_total{platform="shopify"}'] == 2
    assert all(name.startswith("connector_") for name in found)


@anyio
async def test_figures_are_read_once_in_two_seconds_however_many_ask(parts: Composition) -> None:
    async with looking(parts) as health:
        reads = 0
        read = health._figures.read

        async def counted() -> object:
            nonlocal reads
            reads += 1
            return await read()

        health._figures.read = counted  # type: ignore[assignment]
        await asyncio.gather(*(health.text() for _ in range(50)))
        await health.text()
        assert reads == 1


def test_figures_read_what_waits_and_nothing_else(db: Database) -> None:
    """A plan is no proof of speed, but a sequential scan of a table that grows would be one of slowness."""
    fill = """
        insert into deliveries (key, shop_id, platform, topic, state, received_at, received_on, handled_at)
        select decode(lpad(to_hex(n), 64, '0'), 'hex'), 1, 'shopify', 't', 'applied', now(), now()::date, now()
        from generate_series(1, 20000) n
    """
    with db.engine.begin() as connection:
        connection.exec_driver_sql(fill)
        connection.exec_driver_sql("analyze deliveries")
        plan = "\n".join(row[0] for row in connection.exec_driver_sql("explain " + READ))
    assert "Seq Scan on deliveries" not in plan, plan


def test_the_scheduler_tells_when_it_last_succeeded(parts: Composition) -> None:
    assert "last_sweep" not in browser(parts).get("/metrics").text
    parts.metrics.sweep_succeeded()
    said = figures(browser(parts).get("/metrics").text)
    assert abs(said["connector_last_sweep_success_timestamp_seconds"] - time.time()) < timedelta(minutes=1).total_seconds()
