"""Play the story, show what came of it, then keep serving."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydantic import SecretStr
from rich.table import Table

from connector.cli.demo.entrance import open_entrance
from connector.cli.demo.observe import Report, observe
from connector.cli.demo.story import Story
from connector.cli.demo.world import World, open_world
from connector.cli.process import console
from connector.config import Settings
from connector.store import embedded, migrate

DATABASE = "connector_demo"


def run(settings: Settings, *, once: bool = False, port: int = 8000, seed: int = 0) -> int:
    """
    The demo on a database of its own; 0 only if the outside observers agree with our rows.

    Without `once` the pages stay up until Ctrl-C; the clock then runs on from the end of the story.
    """
    directory, page_port = settings.data_dir / "demo", 0 if once else port
    with _fresh_database(settings) as ready, open_world(ready, directory, port=page_port, seed=seed) as world:
        began = time.monotonic()
        story = Story(world, say=lambda text: console.print(f"  {text}", highlight=False))
        story.play()
        report = observe(story)
        show(report, time.monotonic() - began)
        if not once:
            _keep_serving(world)
    return 0 if report.is_clean else 1


def show(report: Report, seconds: float) -> None:
    """The table of what happened and why, and every disagreement."""
    table = Table("store", "shopper", "what they did", "mails", "orders", "recovered", "reason", "", title="What happened, and why")
    for one in report.seen:
        table.add_row(
            one.person.store,
            one.person.name,
            one.person.does,
            str(len(one.mails)),
            str(one.orders),
            "yes" if one.is_recovered else "",
            one.reason,
            _verdict(one.problems),
        )
    console.print(table)
    _show_offers(report)
    for problem in report.problems:
        console.print(f"[red]{problem}[/red]", highlight=False)
    if report.is_clean:
        console.print(f"[green]Mail sink, stores and our rows agree.[/green] The story took {seconds:.1f} s.", highlight=False)
    else:
        console.print("[red]Outside and inside disagree.[/red]")


def _show_offers(report: Report) -> None:
    """The second day: who was given the offer and what became of it, then what happened to each offer itself."""
    given = Table("store", "buyer", "what they did", "mails", "orders", "code", "grant", "", title="What the offer gave, and to whom")
    for one in report.buyers:
        numbers = str(one.mails), str(one.orders)
        given.add_row(one.buyer.store, one.buyer.name, one.buyer.does, *numbers, one.code, one.state, _verdict(one.problems))
    console.print(given)
    lives = Table("store", "what happened to the offer", "codes in the store", "letters to the owner", "", title="The life of the offers")
    for offer in report.offers:
        lives.add_row(offer.store, " → ".join(offer.actions), ", ".join(offer.codes), str(offer.letters), _verdict(offer.problems))
    console.print(lives)


def _verdict(problems: Sequence[str]) -> str:
    return "[green]as it must[/green]" if not problems else f"[red]{'; '.join(problems)}[/red]"


@contextmanager
def _fresh_database(settings: Settings) -> Iterator[Settings]:
    """A new, empty database on the bundled server (or on the server of DATABASE_URL), made anew for each run."""
    if settings.database_url is not None:
        url = migrate.recreate(settings.database_url.get_secret_value(), DATABASE)
        yield settings.model_copy(update={"database_url": SecretStr(url)})
        return
    with embedded.start(settings.data_dir) as server:
        url = migrate.recreate(server.url, DATABASE)
        yield settings.model_copy(update={"database_url": SecretStr(url)})


def _keep_serving(world: World) -> None:
    """Until Ctrl-C. At a terminal, Enter makes new links: each is good once."""
    console.print("")
    _show_entrance(world)
    console.print(f"Mailbox   {world.sandbox.mailbox_url}\nAdmin     {world.sandbox.shopify_admin_url}", highlight=False)
    console.print("The admin is the pretend Shopify's, with the app's page inside. Ctrl-C ends the demo.", highlight=False)
    try:
        while sys.stdin.isatty():
            console.input("Enter for new sign-in links. ")
            _show_entrance(world)
        threading.Event().wait()
    except (KeyboardInterrupt, EOFError):
        console.print("Closing.")


def _show_entrance(world: World) -> None:
    entrance = open_entrance(world.app, world.app.vault)
    console.print("Sign-in links, each good once and for 15 minutes:", highlight=False)
    console.print(f"Merchant  {entrance.merchant}\nSupport   {entrance.staff}", highlight=False, soft_wrap=True)
