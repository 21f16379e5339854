"""A store is read by a process of its own, and nothing but the process shows it."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connector import wire
from connector.asked import Access, Listing
from connector.canonical import Resource
from connector.config import Settings
from connector.metrics import Metrics
from connector.platforms import Platform, TransientError
from connector.reading import Export, Page
from connector.wire import Network
from integrations.registry import make_platforms
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.tls import make_certificates
from integrations.transport import Transport
from sync.readers import ReadsApart, ReadsHere
from tests.bench import sync_woo
from tests.chaos.live_store import LiveShop, live_app
from tests.fakes import FakePlatform
from tests.sync.paged import PagedReads

ORDERS = 2_000
SECONDS = 20.0
EVERY_ORDER = Listing(Resource.ORDER)
DYING = """
import os, socket, time
with socket.socket(fileno=0) as line:
    lines = []
    while not lines:
        _, lines, _, _ = socket.recv_fds(line, 65536, 1)
os.close(lines[0])
time.sleep(0.3)
"""
"""A process that closes its lines a moment before it ends, as each does, only that the moment is longer."""


@dataclass
class Ground:
    """A store of many orders, what leads to it, and what a listing of it is here."""

    network: Network
    platform: Platform
    access: Access
    metrics: Metrics = field(default_factory=Metrics)

    def apart(self, *, idle_seconds: float = 60.0) -> ReadsApart:
        """Somebody who reads apart."""
        return ReadsApart(self.network, self.metrics, idle_seconds=idle_seconds)

    def here(self, listing: Listing) -> list[Page]:
        """What is read in this process."""
        return list(ReadsHere().pages(self.platform, self.access, listing))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One for all tests: nobody changes it."""
    certificates = make_certificates(tmp_path_factory.mktemp("reader"), [sync_woo.HOST])
    live = LiveShop(ORDERS, lambda: datetime.now(UTC))
    server = LocalServer(live_app(live, lambda: 0.0), http=False, tls=(certificates.cert_pem, certificates.key_pem))
    server.start()
    network = Network({sync_woo.HOST: server.https_address}, str(certificates.ca_pem), is_closed_world=True)
    with closing(Transport(network.address_map, certificates.ca_pem, is_closed_world=True)) as transport:
        platform = make_platforms(Settings(sandbox=True), transport)["woocommerce"]
        credentials = {"consumer_key": "ck_1", "consumer_secret": "cs_1"}
        yield Ground(network, platform, Access(1, sync_woo.HOST, credentials))
    server.stop()


def wait_for(claim: Callable[[], bool]) -> None:
    """Until it is true."""
    end = time.monotonic() + SECONDS
    while not claim():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether there is such a process, other than one that is over."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("what", [Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT])
def test_what_is_read_apart_is_what_is_read_here(store: Ground, what: Resource) -> None:
    listing = Listing(what)
    with closing(store.apart()) as apart:
        found = list(apart.pages(store.platform, store.access, listing))
    here = store.here(listing)
    assert [one for page in found for one in page.records] == [one for page in here for one in page.records]
    assert found[-1].cursor is None
    assert len(found) > 1 or what is Resource.PRODUCT


def test_it_goes_on_behind_a_cursor(store: Ground) -> None:
    whole = store.here(EVERY_ORDER)
    with closing(store.apart()) as apart:
        first = next(apart.pages(store.platform, store.access, EVERY_ORDER))
        rest = list(apart.pages(store.platform, store.access, Listing(Resource.ORDER, cursor=first.cursor)))
    told = [one.platform_id for page in (first, *rest) for one in page.records]
    assert set(told) == {one.platform_id for page in whole for one in page.records}


def test_its_calls_are_counted_with_ours(store: Ground) -> None:
    metrics = store.metrics = Metrics()
    with closing(store.apart()) as apart:
        pages = list(apart.pages(store.platform, store.access, EVERY_ORDER))
    counted = {labels: count for labels, count in metrics.calls.values().items() if labels[0] == "woocommerce"}
    assert sum(counted.values()) >= len(pages) > 1
    assert {outcome for _, _, outcome in counted} == {"ok"}


def test_a_process_that_dies_is_an_error_for_a_moment_and_the_next_listing_begins_another(store: Ground) -> None:
    with capture_logs() as events, closing(store.apart()) as apart:
        pages = apart.pages(store.platform, store.access, EVERY_ORDER)
        next(pages)
        (pid,) = [event["pid"] for event in events if event["event"] == "reader.begun"]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(TransientError, match="has ended"):
            list(pages)
        assert len(list(apart.pages(store.platform, store.access, EVERY_ORDER))) > 1
    assert len([event for event in events if event["event"] == "reader.begun"]) == 2


def test_a_process_whose_lines_ended_before_it_did_is_asked_no_more(store: Ground) -> None:
    dying = (sys.executable, "-c", DYING)
    with capture_logs() as events, closing(ReadsApart(store.network, store.metrics, command=dying)) as apart:
        for _ in range(2):
            with pytest.raises(TransientError, match="has ended"):
                next(apart.pages(store.platform, store.access, EVERY_ORDER))
    assert [event["event"] for event in events] == ["reader.begun", "reader.ended"] * 2


def test_a_process_that_hangs_is_killed_and_the_next_listing_begins_another(store: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as events, closing(store.apart()) as apart:
        next(apart.pages(store.platform, store.access, EVERY_ORDER))
        (pid,) = [event["pid"] for event in events if event["event"] == "reader.begun"]
        os.kill(pid, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr("sync.readers.SILENT_SECONDS", 0.2)
            pages = apart.pages(store.platform, store.access, EVERY_ORDER)
            with pytest.raises(TransientError, match="is silent"):
                next(pages)
        assert not is_alive(pid)
        assert len(list(apart.pages(store.platform, store.access, EVERY_ORDER))) > 1
    assert [event["event"] for event in events] == ["reader.begun", "reader.hangs", "reader.ended", "reader.begun", "reader.ended"]


def test_a_file_may_be_fetched_and_sorted_for_longer_than_a_page_may_take(store: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.readers.SILENT_SECONDS", 0.05)
    monkeypatch.setattr("sync.readers.FILE_SILENT_SECONDS", 1.0)
    deaf = (sys.executable, "-c", "import time; time.sleep(60)")
    file = Listing(Resource.ORDER, export=Export("1", "ready", url="https://files.example/1"))
    with closing(ReadsApart(store.network, store.metrics, command=deaf)) as apart:
        began = time.monotonic()
        with pytest.raises(TransientError, match="is silent"):
            next(apart.pages(store.platform, store.access, file))
        assert time.monotonic() - began >= 1.0


def test_listings_side_by_side_share_one_process(store: Ground) -> None:
    with capture_logs() as events, closing(store.apart()) as apart:
        orders = apart.pages(store.platform, store.access, EVERY_ORDER)
        customers = apart.pages(store.platform, store.access, Listing(Resource.CUSTOMER))
        both = [next(orders), next(customers)]
        assert [type(page.records[0]).__name__ for page in both] == ["Order", "Customer"]
        assert sum(len(page.records) for page in orders) + len(both[0].records) > ORDERS / 2
        assert next(customers).records
    assert len([event for event in events if event["event"] == "reader.begun"]) == 1


def test_one_that_is_idle_is_ended_and_begun_again_when_it_is_wanted(store: Ground) -> None:
    with capture_logs() as events, closing(store.apart(idle_seconds=0.05)) as apart:
        pages = apart.pages(store.platform, store.access, EVERY_ORDER)
        next(pages)
        time.sleep(0.2)
        assert not [event for event in events if event["event"] == "reader.ended"], "somebody still reads"
        pages.close()  # type: ignore[attr-defined] # a generator
        wait_for(lambda: any(event["event"] == "reader.ended" for event in events))
        assert next(apart.pages(store.platform, store.access, EVERY_ORDER)).records
    ended = [event for event in events if event["event"] == "reader.ended"]
    assert [event["code"] for event in ended] == [0, 0]
    assert not any(is_alive(event["pid"]) for event in ended)


def test_calls_that_are_metered_stay_here() -> None:
    platform = FakePlatform(reads=PagedReads())  # type: ignore[arg-type] # of Reads, what listing asks
    object.__setattr__(platform.can, "meters_calls", True)
    with closing(ReadsApart(Network({}, None, True), Metrics(), command=("/nowhere",))) as apart:
        assert list(apart.pages(platform, Access(1, "shop.example", {}), Listing(Resource.ORDER)))


def test_without_a_process_there_is_an_error_that_passes(store: Ground) -> None:
    with (
        closing(ReadsApart(store.network, store.metrics, command=("/nowhere",))) as apart,
        pytest.raises(TransientError, match="no process"),
    ):
        next(apart.pages(store.platform, store.access, EVERY_ORDER))


def test_one_that_does_not_end_is_killed(store: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.readers.END_SECONDS", 0.1)
    deaf = (sys.executable, "-c", "import time; time.sleep(60)")
    with capture_logs() as events, closing(ReadsApart(store.network, store.metrics, command=deaf)) as apart:
        pages = apart.pages(store.platform, store.access, EVERY_ORDER)
        listed: list[BaseException] = []

        def read() -> None:
            try:
                next(pages)
            except BaseException as error:
                listed.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        wait_for(lambda: any(event["event"] == "reader.begun" for event in events))
    thread.join(SECONDS)
    assert isinstance(listed[0], TransientError)
    assert [event["code"] for event in events if event["event"] == "reader.ended"] == [-signal.SIGKILL]


def test_a_signal_to_the_whole_group_leaves_it_to_whoever_began_it(store: Ground) -> None:
    with capture_logs() as events, closing(store.apart()) as apart:
        pages = apart.pages(store.platform, store.access, EVERY_ORDER)
        next(pages)
        (pid,) = [event["pid"] for event in events if event["event"] == "reader.begun"]
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        assert len(list(pages)) > 1


def test_it_ends_with_the_process_that_began_it_however_that_ends(store: Ground) -> None:
    script = textwrap.dedent(
        """
        import sys, time, structlog
        from connector import wire
        from connector.asked import Access, Listing
        from connector.canonical import Resource
        from connector.metrics import Metrics
        from sync.readers import ReadsApart
        import msgspec

        class Woo:
            name = "woocommerce"
            class can: meters_calls = False

        network = msgspec.json.decode(sys.argv[1], type=wire.Network)
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        apart = ReadsApart(network, Metrics())
        pages = apart.pages(Woo, Access(1, sys.argv[2], {"consumer_key": "ck_1", "consumer_secret": "cs_1"}), Listing(Resource.ORDER))
        next(pages)
        print(apart._process.pid, flush=True)
        time.sleep(60)
        """
    )
    network = wire.msgspec.json.encode(store.network).decode()
    worker = subprocess.Popen([sys.executable, "-c", script, network, store.access.domain], stdout=subprocess.PIPE, text=True)
    try:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert is_alive(pid)
        worker.kill()
        wait_for(lambda: not is_alive(pid))
    finally:
        worker.kill()
        worker.wait()
        if worker.stdout is not None:
            worker.stdout.close()
