"""The points of a shop, shared by all processes: set aside by one, missing for all; and calls go on without the database."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from connector.store.budgets import AFTER_TROUBLE, SharedBudget
from connector.store.db import Database

KEY = "shopify:atelier-brume.myshopify.com"


class Alone:
    """A budget that remembers what it is told and lets everybody wait three seconds."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def reserve(self, key: str, points: float) -> float:
        """Always three seconds."""
        self.heard.append(("reserve", key, points))
        return 3.0

    def give_back(self, key: str, points: float) -> None:
        """Noted."""
        self.heard.append(("give_back", key, points))

    def learn(self, key: str, available: float, maximum: float, per_second: float) -> None:
        """Noted."""
        self.heard.append(("learn", key, available, maximum, per_second))


class Clock:
    """A clock that stands still until somebody moves it."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def alone() -> Alone:
    """What counts without the database."""
    return Alone()


@pytest.fixture
def shared(db: Database, alone: Alone) -> Iterator[SharedBudget]:
    """A budget in an empty table: 1000 points, 50 a second."""
    budget = SharedBudget(db.url, alone, (1000.0, 50.0))
    yield budget
    budget.close()


@pytest.fixture
def other(db: Database, alone: Alone) -> Iterator[SharedBudget]:
    """The same budget, in another process as it were."""
    budget = SharedBudget(db.url, alone, (1000.0, 50.0))
    yield budget
    budget.close()


def left(db: Database, key: str = KEY) -> float:
    with db.system_transaction("look at a budget") as session:
        found = session.execute(text("select available from call_budgets where key = :key"), {"key": key}).scalar_one()
    return float(found)


def stop_refill(db: Database, key: str = KEY) -> None:
    """From now on nothing comes in: a test must not depend on how long it takes."""
    with db.system_transaction("stop a refill") as session:
        session.execute(text("update call_budgets set at = clock_timestamp() + interval '1 hour' where key = :key"), {"key": key})


class TestSharing:
    def test_the_first_call_does_not_wait(self, shared: SharedBudget) -> None:
        assert shared.reserve(KEY, 740) == 0.0

    def test_what_one_process_set_aside_is_missing_for_another(self, db: Database, shared: SharedBudget, other: SharedBudget) -> None:
        shared.reserve(KEY, 0)
        stop_refill(db)
        assert shared.reserve(KEY, 900) == 0.0
        assert other.reserve(KEY, 600) == pytest.approx(10.0)
        assert shared.reserve(KEY, 100) == pytest.approx(12.0)

    def test_one_shops_wait_is_nobody_elses(self, shared: SharedBudget) -> None:
        shared.reserve(KEY, 5000)
        assert shared.reserve("shopify:boutique.myshopify.com", 900) == 0.0

    def test_points_given_back_are_there_again_but_never_more_than_fit(self, db: Database, shared: SharedBudget) -> None:
        shared.reserve(KEY, 500)
        stop_refill(db)
        shared.give_back(KEY, 200)
        assert left(db) == pytest.approx(700.0, abs=20)
        shared.give_back(KEY, 900)
        assert left(db) == pytest.approx(1000.0)

    def test_a_call_that_cost_more_than_was_set_aside_takes_the_rest(self, db: Database, shared: SharedBudget) -> None:
        shared.reserve(KEY, 100)
        stop_refill(db)
        shared.give_back(KEY, -50)
        assert left(db) == pytest.approx(850.0, abs=20)

    def test_points_come_back_with_real_time(self, db: Database, shared: SharedBudget) -> None:
        shared.reserve(KEY, 800)
        with db.system_transaction("ten seconds ago") as session:
            session.execute(text("update call_budgets set at = clock_timestamp() - interval '10 seconds'"))
        shared.reserve(KEY, 0)
        assert 700.0 <= left(db) < 800.0

    def test_a_moved_clock_of_the_application_refills_nothing(self, db: Database, shared: SharedBudget) -> None:
        shared.reserve(KEY, 1000)
        with db.engine.begin() as connection:
            connection.execute(text("update app_clock set ahead = interval '1 day'"))
        shared.reserve(KEY, 1000)
        assert left(db) < 0

    def test_many_who_take_at_once_take_nothing_twice(self, db: Database, shared: SharedBudget, other: SharedBudget) -> None:
        shared.reserve(KEY, 0)
        stop_refill(db)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: (shared, other)[number % 2].reserve(KEY, 10), range(100)))
        # Nobody fell back on what a process knows alone, so all hundred are counted here.
        assert left(db) == pytest.approx(0.0)


class TestLearning:
    def test_a_larger_bucket_was_larger_from_the_start(self, db: Database, shared: SharedBudget) -> None:
        shared.reserve(KEY, 400)
        stop_refill(db)
        shared.learn(KEY, 1990, 2000, 100)
        assert left(db) == pytest.approx(1600.0, abs=20)

    def test_an_answer_never_gives_points_that_others_have_set_aside(self, db: Database, shared: SharedBudget, other: SharedBudget) -> None:
        shared.reserve(KEY, 300)
        other.reserve(KEY, 300)
        stop_refill(db)
        shared.learn(KEY, 700, 1000, 50)
        assert left(db) == pytest.approx(400.0, abs=20)

    def test_what_somebody_else_used_up_is_gone(self, db: Database, shared: SharedBudget) -> None:
        shared.reserve(KEY, 300)
        stop_refill(db)
        shared.learn(KEY, 12, 1000, 50)
        assert left(db) == pytest.approx(12.0)

    def test_a_shop_may_be_learnt_before_anybody_calls_it(self, db: Database, shared: SharedBudget) -> None:
        shared.learn(KEY, 12, 2000, 100)
        assert left(db) == pytest.approx(12.0)

    @pytest.mark.parametrize(("maximum", "per_second"), [(0.0, 50.0), (1000.0, 0.0), (-1.0, -1.0)])
    def test_a_bucket_that_makes_no_sense_is_not_learnt(
        self, db: Database, shared: SharedBudget, alone: Alone, maximum: float, per_second: float
    ) -> None:
        shared.reserve(KEY, 0)
        shared.learn(KEY, 5, maximum, per_second)
        assert (left(db), alone.heard) == (1000.0, [])


class TestWithoutDatabase:
    @pytest.fixture
    def silent(self) -> Iterator[str]:
        """The address of a server that accepts connections and never says a word."""
        with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
            yield f"postgresql://nobody@127.0.0.1:{server.getsockname()[1]}/nothing"

    def test_calls_go_by_what_the_process_knows_itself(self, silent: str, alone: Alone) -> None:
        clock = Clock()
        budget = SharedBudget(silent, alone, (1000.0, 50.0), clock)
        began = time.monotonic()
        assert budget.reserve(KEY, 10) == 3.0
        assert time.monotonic() - began < 4.0
        began = time.monotonic()
        budget.give_back(KEY, 4)
        budget.learn(KEY, 12, 2000, 100)
        # It is not asked again for a while.
        assert time.monotonic() - began < 0.5
        assert alone.heard == [("reserve", KEY, 10), ("give_back", KEY, 4), ("learn", KEY, 12, 2000, 100)]

    def test_it_is_asked_again_after_a_while(self, db: Database, alone: Alone) -> None:
        clock = Clock()
        budget = SharedBudget(db.url, alone, (1000.0, 50.0), clock)
        budget.reserve(KEY, 10)
        with db.engine.begin() as connection:
            hers = "pid <> pg_backend_pid() and query like '%insert into call_budgets%'"
            assert connection.execute(text(f"select pg_terminate_backend(pid) from pg_stat_activity where {hers}")).all() == [(True,)]
        with capture_logs() as logs:
            assert budget.reserve(KEY, 10) == 3.0
        assert [entry["event"] for entry in logs] == ["budget.alone"]
        clock.at = AFTER_TROUBLE - 0.1
        assert budget.reserve(KEY, 10) == 3.0
        clock.at = AFTER_TROUBLE
        assert budget.reserve(KEY, 10) == 0.0
        budget.close()

    def test_what_is_learnt_is_known_to_the_process_too(self, shared: SharedBudget, alone: Alone) -> None:
        shared.learn(KEY, 12, 2000, 100)
        assert alone.heard == [("learn", KEY, 12, 2000, 100)]
