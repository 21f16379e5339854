"""
RL-152: PostgreSQL, Redis, the mail server and a store accept and never answer. Nothing waits for ever.

Each falls silent on a stack of its own, all at once. Meanwhile requests are answered within their limits; afterwards everything
goes on soon: what hung then is over by itself. Each queue has one thread only, so that a job which never ends would show.
"""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis

from connector.cli.demo.story import Story
from connector.errors import ConnectorError
from integrations.mail.session import ANSWER_TIMEOUT
from integrations.transport import TOTAL_SECONDS
from sync.broker import NAMESPACE
from sync.jobs import Queue
from tests.chaos.auditor import Auditor
from tests.chaos.case import Case
from tests.chaos.driver import Driver
from tests.chaos.ledger import Attempt
from tests.chaos.posts import Post, checkout_post
from tests.chaos.production import Production, production_form
from tests.chaos.proxy import FaultProxy
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.chaos.stack import SeededShop, Stack

SILENCE = 150.0
RATE = 8.0
MAIL_EVERY = 4
LEAD = timedelta(seconds=3)
CALM_SECONDS = 6.0
MOST_DOOR = 5.0
MOST_REQUEST = 30.0
GO_ON = 30.0
FRESH = 5
"""So many new deliveries and mails must have got through before we believe that all is well again."""
THREADS = {"WORKER_THREADS": "1"}
_starting = threading.Lock()
"""Migrations keep what they do in module variables: one stack of a process is made at a time."""


@dataclass
class Silence:
    """One server that falls silent, what may be answered meanwhile, and what must go on afterwards."""

    name: str
    stack: Stack
    proxy: FaultProxy
    shop: SeededShop
    door: frozenset[int] = frozenset({200})
    longest_job: float = 0.0
    goes_on: Callable[[float], bool] = lambda since: True
    has_others: bool = False
    """True if somebody else delivers too: the driver then cannot account for all that is kept."""
    meanwhile: Callable[[], None] = lambda: None
    violations: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    trials: int = 0

    def endure(self, seconds: float, seed: int) -> None:
        """Load before, during and after the silence; then look at everything that was asked."""
        driver = Driver(self.stack.ports, self._post, RATE, 10**6, MOST_REQUEST + 10)
        auditor = Auditor(self.stack, driver.ledger)
        pages = [Asker(self.stack.ports[0], "/readyz", 1.0, MOST_DOOR), Asker(self.stack.ports[0], "/", 3.0, MOST_REQUEST)]
        driver.start()
        with pages[0].asking(), pages[1].asking():
            time.sleep(CALM_SECONDS)
            self.proxy.half_open()
            silent_at = time.monotonic()
            self.meanwhile()
            time.sleep(max(0.0, silent_at + seconds - time.monotonic()))
            self.proxy.heal()
            healed_at = time.monotonic()
            limit = GO_ON + max(0.0, self.longest_job - seconds)
            is_well = self.stack.wait_until(lambda: self._goes_on(driver, pages, healed_at), limit)
            took = time.monotonic() - healed_at
        driver.stop()
        driver.join(MOST_REQUEST + 20)
        self.stack.wait_idle(GO_ON, besides_sending=True)
        self._judge(driver.ledger.attempts, silent_at, healed_at)
        for page in pages:
            self.violations += page.troubles(f"with {self.name} silent: ")
        if not is_well:
            words = f"{took:.0f} s after {self.name} answers again not everything goes on: {self._words(driver, healed_at)}"
            self.violations.append(too_late(words))
        if not self.has_others:
            self.violations += [f"{self.name}: {trouble}" for trouble in auditor.final()]
        self.trials = len(driver.ledger.attempts) + sum(len(page.answers) for page in pages)
        self.figures[f"{self.name} goes on after"] = f"{took:.1f} s"
        self.figures[f"{self.name} longest page"] = f"{max(page.longest() for page in pages):.1f} s"

    def _post(self, number: int) -> Post:
        at = datetime.now(UTC) - (timedelta(hours=1) - LEAD if number % MAIL_EVERY == 0 else timedelta())
        return checkout_post(self.shop, number, updated_at=at)

    def _goes_on(self, driver: Driver, pages: list["Asker"], since: float) -> bool:
        return all(value for value in self._facts(driver, pages, since).values())

    def _facts(self, driver: Driver, pages: list["Asker"], since: float) -> dict[str, bool]:
        """What must be true after the silence."""
        keys = [one.key for one in list(driver.ledger.attempts) if one.outcome == "ok" and one.ended_at - one.seconds > since]
        applied = self.stack.one("select count(*) from deliveries where state = 'applied' and key = any(%s)", keys)
        late = "select count(*) from deliveries where state = 'pending' and received_at < app_now() - interval '5 seconds'"
        mails = [mail for mail in list(self.stack.sink.mails) if mail.arrived_at > since]
        return {
            "new deliveries are applied": applied >= FRESH,
            "no old delivery waits": self.stack.one(late) == 0,
            "mails arrive": len(mails) >= FRESH or self.has_others,
            "pages open": all(page.is_well(since) for page in pages),
            "its own work goes on": self.goes_on(since),
        }

    def _words(self, driver: Driver, since: float) -> str:
        facts = self._facts(driver, [], since)
        return ", ".join(f"not true: {name}" for name, holds in facts.items() if not holds) or "pages"

    def _judge(self, attempts: list[Attempt], silent_at: float, healed_at: float) -> None:
        """Every delivery was answered within the platforms' patience, with one of the allowed answers."""
        during = [one for one in attempts if silent_at <= one.ended_at - one.seconds <= healed_at]
        longest = max((one.seconds for one in attempts), default=0.0)
        self.figures[f"{self.name} longest delivery"] = f"{longest:.1f} s"
        if longest > MOST_DOOR:
            self.violations.append(too_late(f"with {self.name} silent a delivery was answered after {longest:.1f} s"))
        odd = sorted({one.status for one in during} - self.door)
        if odd or not during:
            self.violations.append(f"with {self.name} silent, {len(during)} deliveries were answered with {odd}, not {sorted(self.door)}")


@dataclass
class Asker:
    """Asks a page again and again, whether or not earlier questions were answered."""

    port: int
    path: str
    every: float
    limit: float
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    """When it was asked, how long it took, the status (0: none)."""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Until the end of the block."""
        stop = threading.Event()
        threads: list[threading.Thread] = []

        def go_on() -> None:
            while not stop.wait(self.every):
                threads.append(threading.Thread(target=self._ask, daemon=True))
                threads[-1].start()

        asker = threading.Thread(target=go_on, daemon=True)
        asker.start()
        try:
            yield
        finally:
            stop.set()
            asker.join(10)
            for thread in threads:
                thread.join(self.limit + 15)

    def troubles(self, when: str) -> list[str]:
        """Answers that came too late or never."""
        late = [seconds for _, seconds, _ in self.answers if seconds > self.limit]
        silent = sum(status == 0 for _, _, status in self.answers)
        found = [too_late(f"{when}{self.path} was answered after {max(late):.1f} s, {len(late)} times too late")] if late else []
        return found + ([f"{when}{self.path} was never answered, {silent} times"] if silent else [])

    def is_well(self, since: float) -> bool:
        """True if the last question that was asked after this instant was answered well."""
        after = [status for at, _, status in sorted(self.answers) if at > since]
        return bool(after) and after[-1] == 200

    def longest(self) -> float:
        """The longest that an answer took."""
        return max((seconds for _, seconds, _ in self.answers), default=0.0)

    def _ask(self) -> None:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.path}", timeout=self.limit + 10) as answer:
                status = answer.status
                answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        except OSError:
            status = 0
        self.answers.append((began, time.monotonic() - began, status))


@contextmanager
def _stack(seed: int, directory: Path, silent: str) -> Iterator[Stack]:
    with ExitStack() as exits:
        with _starting:
            stack = exits.enter_context(Stack(directory, seed=seed, spoilt=[silent], environment=THREADS))
        yield stack


def postgres(seconds: float, seed: int, directory: Path) -> Silence:
    """The database: the door says 503, and takes deliveries again as soon as it can."""
    with _stack(seed, directory, "postgres") as stack:
        silence = Silence("PostgreSQL", stack, stack.proxies.postgres, stack.shops[0], frozenset({200, 503}))
        silence.endure(seconds, seed)
        return silence


def bell(seconds: float, seed: int, directory: Path) -> Silence:
    """The doorbell: no delivery notices, and afterwards it is heard again, though others find the work meanwhile."""
    with _stack(seed, directory, "redis") as stack, redis.Redis.from_url(stack.redis.url) as client:
        silence = Silence("Redis", stack, stack.proxies.redis, stack.shops[0])
        silence.goes_on = lambda since: not any(client.llen(f"{NAMESPACE}:{queue.value}") for queue in Queue)
        silence.endure(seconds, seed)
        return silence


def mail(seconds: float, seed: int, directory: Path) -> Silence:
    """The mail server: what hung between the dot and its answer may be unknown, one at most for each thread; all else is sent."""
    with _stack(seed, directory, "smtp") as stack:
        silence = Silence("mail", stack, stack.proxies.smtp, stack.shops[0], longest_job=ANSWER_TIMEOUT)
        silence.endure(seconds, seed)
        for _ in range(3):
            stack.step_clock(timedelta(minutes=16))
            stack.wait_idle(GO_ON)
        lost = stack.one("select count(*) from messages where state in ('unknown', 'sending')")
        if lost > int(THREADS["WORKER_THREADS"]):
            silence.violations.append(f"{lost} messages are unknown, more than threads that could hang")
        silence.violations += (
            [] if stack.one("select count(*) from messages where state = 'sending'") == 0 else ["a message hangs for ever"]
        )
        return silence


def store(seconds: float, seed: int, directory: Path) -> Silence:
    """A store's API: an install is refused within the limit; reading products goes on afterwards."""
    with ExitStack() as exits:
        with _starting:
            made = exits.enter_context(
                production_form(directory, seed, web=1, worker=1, scheduler=1, mail_to_sandbox=False, environment=THREADS)
            )
        story = Story(made.world, say=lambda text: None)
        browser = made.world.sandbox.browser()
        story.install_shopify(browser)
        made.world.sandbox.shopify.start_checkout([("CEDAR-L", 1)], accepts_marketing=False)
        silence = Silence("store", made.stack, made.store, made.shop, longest_job=TOTAL_SECONDS, has_others=True)
        silence.goes_on = lambda since: made.stack.one("select count(*) from products where title <> ''") > 0

        def meanwhile() -> None:
            made.stack.one("delete from products returning 1")
            with suppress(ConnectorError):
                story.install_shopify(browser)

        silence.meanwhile = meanwhile
        silence.endure(seconds, seed)
        browser.close()
        _judge_install(made, silence)
        return silence


def _judge_install(made: Production, silence: Silence) -> None:
    longest = made.balancer.longest.get("/install/shopify/callback", 0.0)
    silence.figures["longest install"] = f"{longest:.1f} s"
    if longest > MOST_REQUEST:
        silence.violations.append(too_late(f"with the store silent an install was answered after {longest:.1f} s"))
    if longest < 1.0:
        silence.violations.append("no install met the silence")


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """All four at once, each on a stack of its own."""
    seconds = size.seconds(SILENCE, least=12.0)
    done: list[Silence] = []
    failed: list[str] = []

    def endure(what: Callable[[float, int, Path], Silence]) -> None:
        home = directory / what.__name__
        home.mkdir()
        try:
            done.append(what(seconds, seed, home))
        except Exception as error:
            failed.append(f"{what.__name__} could not be tried: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=endure, args=(what,)) for what in (postgres, bell, mail, store)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    violations = failed + [violation for one in done for violation in one.violations]
    violations += [f"{one.name} was never silent" for one in done if not one.proxy.faults]
    figures = {name: value for one in done for name, value in one.figures.items()}
    title = f"servers that accept and never answer, {seconds:.0f} s each"
    return [Row("RL-152", title, sum(one.trials for one in done), sum(one.proxy.faults for one in done), violations, seed, figures)]


CASE = Case("waiting", ("RL-152",), run, seconds=58)
