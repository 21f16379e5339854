"""The forms in which we run: everything in one process, or one process per role."""

import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from pydantic import SecretStr, ValidationError
from rich.console import Console

from connector import log, memory
from connector.config import Settings
from connector.errors import ConfigError, ConnectorError
from connector.platforms import TransientError
from connector.store import embedded
from connector.store import migrate as migrations
from connector.web.app import make_app, make_side
from connector.web.composition import Composition, compose
from connector.web.server import allow_connections, listen, listening
from integrations.registry import make_transport
from sync.schedule import Scheduler

FINISH_SECONDS = 25.0
SCHEDULER_SECONDS = 10.0
SWITCH_SECONDS = 0.0001
console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)


def run(command: Callable[[Settings], object]) -> None:
    """Run a command with Settings from the environment; our own errors are one line and exit code 1."""
    run_code(lambda settings: (command(settings), 0)[1])


def run_code(command: Callable[[Settings], int]) -> None:
    """The same for a command that has an exit code."""
    try:
        code = command(Settings())
    except ValidationError as error:
        for problem in error.errors():
            console.print(f"[red]Setting {'.'.join(str(p) for p in problem['loc']).upper() or 'combination'}: {problem['msg']}[/red]")
        raise typer.Exit(2) from error
    except ConnectorError as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        code = 130
    if code:
        raise typer.Exit(code)


@contextmanager
def with_database(settings: Settings) -> Iterator[Settings]:
    """Settings with a DATABASE_URL: the given one, or that of the bundled server, which runs until the end."""
    if settings.database_url is not None:
        yield settings
        return
    with embedded.start(settings.data_dir) as server:
        yield settings.model_copy(update={"database_url": SecretStr(server.url)})


def migrate(settings: Settings) -> None:
    """Run the migrations."""
    with with_database(settings) as ready:
        upgrade(ready)
    console.print("The database is up to date.")


def upgrade(settings: Settings) -> None:
    """Run the migrations of a database that runs."""
    assert settings.database_url is not None
    migrations.upgrade(settings.database_url.get_secret_value(), sandbox=settings.sandbox)


def serve(settings: Settings) -> None:
    """Web, workers and scheduler in one process."""
    log.configure()
    with with_database(settings) as ready:
        upgrade(ready)
        with compose(ready) as composition, background(composition):
            announce(composition)
            _listen(composition)


def web(settings: Settings) -> None:
    """Only the web. Needs DATABASE_URL and REDIS_URL, as the roles must share them."""
    _need_shared(settings)
    log.configure()
    with compose(settings) as composition:
        _listen(composition)


def worker(settings: Settings) -> None:
    """Only workers; ends politely on SIGTERM: running work is finished, waiting work is left to others."""
    _need_shared(settings)
    log.configure()
    with compose(settings) as composition, _watched(composition), working(composition):
        memory.settle()
        _until_told(composition)


def scheduler(settings: Settings) -> None:
    """Only the scheduler."""
    _need_shared(settings)
    log.configure()
    with compose(settings) as composition, _watched(composition), scheduling(composition):
        _until_told(composition)


@contextmanager
def background(composition: Composition) -> Iterator[None]:
    """Workers and scheduler as threads of this process."""
    with working(composition), scheduling(composition):
        yield


@contextmanager
def working(composition: Composition) -> Iterator[None]:
    """Worker threads."""
    # Most work here waits for the database again and again: with the usual 5 ms until it has the interpreter again, a thread that never
    # waits, such as one that takes in the pages of a sync, would have it most of the time.
    sys.setswitchinterval(SWITCH_SECONDS)
    worker = composition.bell.worker(composition.settings.worker_threads)
    worker.start()
    try:
        yield
    finally:
        worker.stop(timeout=round(composition.departure.left(FINISH_SECONDS) * 1000))


@contextmanager
def scheduling(composition: Composition) -> Iterator[None]:
    """The scheduler thread."""
    scheduler = Scheduler(composition.services)
    thread = threading.Thread(target=scheduler.run, name="scheduler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        scheduler.stop()
        thread.join(timeout=composition.departure.left(SCHEDULER_SECONDS))


@contextmanager
def _watched(composition: Composition) -> Iterator[None]:
    """With METRICS_PORT: /livez and /metrics of a process that has no web."""
    settings = composition.settings
    if not settings.metrics_port:
        yield
        return
    with listening(make_side(composition), settings.host, settings.metrics_port):
        yield


def announce(composition: Composition) -> None:
    """Say where we are, and check in the background that PUBLIC_URL leads to us."""
    settings = composition.settings
    console.print(f"Connector listens on http://{settings.host}:{settings.port} and calls itself {settings.public_url}", highlight=False)
    if settings.mail_from.endswith("@localhost>") or not settings.can_send_mail:
        console.print("[yellow]No e-mail leaves: set SMTP_URL and MAIL_FROM before you turn an automation on.[/yellow]")
    if not settings.sandbox:
        threading.Thread(target=_check_public_url, args=(composition,), daemon=True).start()


def _check_public_url(composition: Composition) -> None:
    """Stores need https, and an address that leads here: ask ourselves through it."""
    url = composition.settings.public_url.rstrip("/")
    if not url.startswith("https://"):
        console.print(f"[yellow]PUBLIC_URL is {url}: stores deliver webhooks to https addresses only.[/yellow]", highlight=False)
        return
    transport = make_transport(composition.settings)
    try:
        answer = transport.send("self", "public_url", "GET", f"{url}/livez")
        is_us = secrets.compare_digest(answer.headers.get("x-connector-instance", ""), composition.instance)
        said = "[green]leads here[/green]" if is_us else f"[red]answers {answer.status}, but it is not this server[/red]"
    except TransientError as error:
        said = f"[red]cannot be reached ({error})[/red]"
    finally:
        transport.close()
    console.print(f"PUBLIC_URL {url} {said}", highlight=False)


def _listen(composition: Composition) -> None:
    """Serve until told to end."""
    settings = composition.settings
    app = make_app(composition)
    memory.settle()
    allow_connections()
    listen(app, settings.host, settings.port, composition.departure, settings.drain_seconds)


def _need_shared(settings: Settings) -> None:
    if settings.database_url is None or settings.redis_url is None:
        raise ConfigError("This role works with others: set DATABASE_URL and REDIS_URL for all of them, or use `connector serve`.")


def _until_told(composition: Composition) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: composition.departure.begin())
    composition.departure.wait()
