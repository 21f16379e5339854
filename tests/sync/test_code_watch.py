"""Codes that nobody tells us of are looked at in time, many by one call, and never twice at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from connector.canonical import Resource, ShopProfile
from connector.capabilities import Capabilities
from connector.codes import CodeKind, CodeState, CodeStatus
from connector.platforms import Access, NotPermitted, TransientError
from connector.store import codes, wanted
from sync import code_watch, rereads
from sync.jobs import Job
from sync.schedule import Scheduler
from tests.fakes import FakePlatform
from tests.sync.telling import FakeCodes, FakeReads
from tests.sync.world import World

PROFILE = ShopProfile("Les Galets", "EUR", "Europe/Paris", "https://galets.example/")
SILENT = Capabilities(shop_in_path=True, tracks_carts=False, has_product_reads=True, registers_webhooks=True, tells_code_use=False)


@dataclass
class ManyCodes(FakeCodes):
    """A store that shows many codes by one call; `batches`: what was asked so."""

    by_id: dict[str, CodeState] = field(default_factory=dict)
    batches: list[list[str]] = field(default_factory=list)
    error: Exception | None = None

    def codes_now(self, access: Access, platform_ids: Sequence[str]) -> Mapping[str, CodeState]:
        """Those that are held."""
        self.batches.append(list(platform_ids))
        if self.error is not None:
            raise self.error
        return {one: self.by_id[one] for one in platform_ids if one in self.by_id}


class Store:
    """A WooCommerce shop whose codes are watched; its database's clock can be moved on."""

    def __init__(self, woo: World) -> None:
        self.reads, self.codes = FakeReads(PROFILE), ManyCodes()
        self.platform = FakePlatform(shop_in_path=True, reads=self.reads, codes=self.codes)
        self.platform.can = SILENT
        self.world = replace(woo, services=replace(woo.services, platforms={"woocommerce": self.platform}))

    def hold(self, platform_id: str, code: str, **changes: Any) -> CodeState:
        """A code that was read at the start."""
        state = replace(CodeState(platform_id, self.world.start, code, CodeKind.PERCENTAGE, CodeStatus.ACTIVE, codes=1), **changes)
        with self.world.db.transaction(shop=self.world.shop.id) as session:
            codes.save_codes(session, self.world.shop.id, [state], self.world.start)
        self.codes.by_id[platform_id] = state
        self.reads.records[Resource.DISCOUNT_CODE, platform_id] = state
        return state

    def look_at(self, minutes: float) -> list[str]:
        """Which discounts are wanted by the watch so long after the start; they are not read."""
        self.world.go_to(self.world.at(minutes))
        code_watch.look(self.world.services)
        return self.wishes()

    def wishes(self) -> list[str]:
        """What is wanted and can be read."""
        rows = self.world.rows("select platform_id from wanted_reads where shop_id = :shop and reason is null order by platform_id")
        return [row["platform_id"] for row in rows]

    def reread(self) -> int:
        """Read what is due."""
        return rereads.reread(self.world.services, self.world.shop.id)

    def row(self, code: str) -> Mapping[str, Any]:
        """A code as it is kept."""
        (row,) = self.world.rows("select * from discount_codes where shop_id = :shop and code = :code", code=code)
        return row

    def end(self, minutes: float) -> datetime:
        """An end so long after the start."""
        return self.world.at(minutes)


@pytest.fixture
def store(woo: World) -> Store:
    """A store."""
    return Store(woo)


class TestWhen:
    """Which codes, and how soon."""

    def test_a_living_code_is_looked_at_again_within_a_quarter_of_an_hour(self, store: Store) -> None:
        store.hold("15", "merci")
        assert store.look_at(12.9) == []
        assert store.look_at(13) == ["15"]

    def test_looking_and_reading_together_never_leave_a_code_unseen_for_longer(self, store: Store) -> None:
        store.hold("15", "merci")
        looks: list[datetime] = []
        for minute in range(1, 61):
            store.look_at(minute)
            store.reread()
            looks.append(store.row("merci")["read_at"])
        seen = sorted({store.world.start, *looks})
        assert len(seen) == 5
        assert max(later - earlier for earlier, later in pairwise(seen)) <= timedelta(minutes=15)

    @pytest.mark.parametrize("change", [{"status": CodeStatus.EXPIRED}, {"status": CodeStatus.EXPIRED, "usage_limit": 1, "used": 1}])
    def test_one_that_ended_is_not_looked_at(self, store: Store, change: dict[str, Any]) -> None:
        store.hold("15", "merci", **change)
        assert store.look_at(60) == []

    def test_one_that_is_used_up_is_since_a_cancelled_order_gives_its_use_back(self, store: Store) -> None:
        store.hold("15", "merci", usage_limit=1, used=1)
        assert store.look_at(13) == ["15"]

    def test_one_that_is_deleted_is_not(self, store: Store) -> None:
        store.hold("15", "merci")
        with store.world.db.transaction(shop=store.world.shop.id) as session:
            codes.mark_deleted(session, store.world.shop.id, "15", store.world.at(1))
        assert store.look_at(60) == []

    def test_near_its_end_and_right_after_it_is_looked_at_sooner(self, store: Store) -> None:
        store.hold("15", "merci", ends_at=store.end(10))
        assert store.look_at(3.9) == []
        assert store.look_at(4) == ["15"]
        store.reread()
        assert store.look_at(7.9) == []
        assert store.look_at(8.1) == ["15"]
        store.reread()
        assert store.look_at(9.8) == []
        assert store.look_at(10.1) == ["15"]

    def test_an_end_that_was_moved_without_a_word_is_seen(self, store: Store) -> None:
        state = store.hold("15", "merci", ends_at=store.end(10))
        store.codes.by_id["15"] = store.reads.records[Resource.DISCOUNT_CODE, "15"] = replace(state, ends_at=store.end(600))
        store.look_at(10.1)
        store.reread()
        assert store.row("merci")["ends_at"] == store.end(600)
        assert store.look_at(12) == []

    def test_one_whose_beginning_came_is_looked_at(self, store: Store) -> None:
        store.hold("15", "merci", status=CodeStatus.SCHEDULED, starts_at=store.end(5))
        assert store.look_at(4.9) == []
        assert store.look_at(5.1) == ["15"]

    def test_a_platform_that_tells_is_not_watched(self, store: Store) -> None:
        store.hold("15", "merci")
        store.platform.can = replace(SILENT, tells_code_use=True)
        assert store.look_at(60) == []

    def test_a_platform_without_codes_is_not_watched(self, store: Store) -> None:
        store.hold("15", "merci")
        store.platform.codes = None
        assert store.look_at(60) == []

    def test_a_shop_that_is_not_connected_is_not_watched(self, store: Store) -> None:
        store.hold("15", "merci")
        store.world.execute("update shops set state = 'needs_sign_in' where id = :shop")
        assert store.look_at(60) == []

    def test_what_is_wanted_already_keeps_its_tries(self, store: Store) -> None:
        store.hold("15", "merci")
        store.codes.error = store.reads.errors["15"] = TransientError("no answer", platform="woocommerce")
        store.look_at(13)
        store.reread()
        before = store.world.one("wanted_reads")
        store.look_at(13.2)
        assert store.world.one("wanted_reads") == before

    def test_what_could_not_be_read_for_good_is_tried_again_at_the_next_look(self, store: Store) -> None:
        store.hold("15", "merci")
        store.reads.errors["15"] = NotPermitted("not for you", platform="woocommerce")
        store.look_at(13)
        store.reread()
        assert store.look_at(25) == []
        assert store.look_at(26.5) == ["15"]

    def test_the_longest_unseen_come_first_and_the_rest_the_next_time(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(5):
            store.hold(str(number), f"code-{number}")
            store.world.execute(
                "update discount_codes set read_at = read_at - make_interval(secs => :n) where platform_id = :p", n=number, p=str(number)
            )
        monkeypatch.setattr(code_watch, "CODES_PER_TURN", 3)
        assert store.look_at(13) == ["2", "3", "4"]
        assert store.look_at(13.1) == ["0", "1", "2", "3", "4"]


class TestReading:
    """How what is wanted is read."""

    def test_many_codes_are_read_by_one_call_and_their_use_is_kept(self, store: Store) -> None:
        for number in range(12):
            state = store.hold(str(number), f"code-{number}")
            store.codes.by_id[str(number)] = replace(state, used=number)
        assert len(store.look_at(13)) == 12
        assert store.reread() == 12
        assert (len(store.codes.batches), store.reads.asked, store.wishes()) == (1, [], [])
        assert [store.row(f"code-{number}")["used"] for number in range(12)] == list(range(12))

    def test_one_that_such_a_call_does_not_bring_is_asked_for_by_itself(self, store: Store) -> None:
        for number in ("1", "2", "3"):
            store.hold(number, f"code-{number}")
        del store.codes.by_id["2"], store.codes.by_id["3"], store.reads.records[Resource.DISCOUNT_CODE, "3"]
        store.look_at(13)
        assert store.reread() == 3
        assert store.reads.asked == ["discount_code 2", "discount_code 3"]
        assert [store.row(f"code-{number}")["deleted_at"] is None for number in (1, 2, 3)] == [True, True, False]

    def test_a_store_that_does_not_answer_is_asked_once(self, store: Store) -> None:
        for number in ("1", "2"):
            store.hold(number, f"code-{number}")
        store.codes.error = TransientError("no answer", platform="woocommerce")
        store.look_at(13)
        assert store.reread() == 0
        assert (len(store.codes.batches), store.reads.asked, store.wishes()) == (1, [], ["1", "2"])

    def test_it_rings_for_the_shop(self, store: Store) -> None:
        rung: list[tuple[str, int]] = []
        store.world.db.on_wake(lambda wake: rung.append((wake.job, wake.shop_id)))
        store.hold("15", "merci")
        store.look_at(13)
        assert rung == [(Job.REREAD.value, store.world.shop.id)]

    def test_a_wish_of_somebody_else_is_read_together(self, store: Store) -> None:
        store.hold("1", "code-1")
        store.look_at(13)
        store.hold("2", "code-2")
        with store.world.db.transaction(shop=store.world.shop.id) as session:
            wanted.want(session, store.world.shop.id, [(Resource.DISCOUNT_CODE, "2")])
        assert store.reread() == 2
        assert [sorted(batch) for batch in store.codes.batches] == [["1", "2"]]


def test_the_scheduler_looks_every_minute(store: Store) -> None:
    turns = {turn.what: turn.every for turn in Scheduler(store.world.services)._turns}
    assert turns[code_watch.look] == 60
