"""The command line. Commands import what they need when they run, so that `connector --help` answers at once."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Connector: wins back lost sales.")


@app.command()
def serve() -> None:
    """Everything in one process: web, workers, scheduler; with the bundled database unless DATABASE_URL is set."""
    from connector.cli import process

    process.run(process.serve)


@app.command()
def web() -> None:
    """The web process: webhooks, pages, links."""
    from connector.cli import process

    process.run(process.web)


@app.command()
def worker() -> None:
    """A worker process: applies deliveries, decides, sends."""
    from connector.cli import process

    process.run(process.worker)


@app.command()
def scheduler() -> None:
    """A scheduler process: finds due work. Any number may run."""
    from connector.cli import process

    process.run(process.scheduler)


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema (the `release` step)."""
    from connector.cli import process

    process.run(process.migrate)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the story; 0 only if the outside observers agree.")] = False,
    port: Annotated[int, typer.Option(help="Port of the pages; 0 takes any free one.")] = 8000,
) -> None:
    """Two pretend stores, a day of shoppers, and what came of it."""
    from connector.cli import process
    from connector.cli.demo.run import run

    process.run_code(lambda settings: run(settings, once=once, port=port))


@app.command()
def feed(paths: Annotated[list[Path], typer.Argument(exists=True, help="Folders or files of recorded deliveries.")]) -> None:
    """Send recorded deliveries through the door of a sandbox and say what became of each."""
    from connector.cli import process
    from connector.cli.feed.run import run

    process.run_code(lambda settings: run(settings, paths))


@app.command()
def shops() -> None:
    """List the installed shops."""
    from connector.cli import manage, process

    process.run(manage.list_shops)


@app.command()
def automation(
    shop: Annotated[str, typer.Argument(help="The shop's domain or public id.")],
    switch: Annotated[str, typer.Argument(help="on or off")],
) -> None:
    """Turn a shop's abandoned-checkout e-mail on or off."""
    from connector.cli import manage, process

    process.run(lambda settings: manage.switch(settings, shop, switch))


@app.command()
def replay(
    shop: Annotated[str, typer.Argument(help="The shop's domain or public id.")],
    state: Annotated[
        str, typer.Option(help="Which kept deliveries: quarantined, no_meaning_yet, after_uninstall or applied.")
    ] = "quarantined",
) -> None:
    """Handle a shop's kept deliveries again."""
    from connector.cli import manage, process

    process.run(lambda settings: manage.replay(settings, shop, state))
