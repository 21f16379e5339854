"""The command line. Commands import what they need when they run, so that `connector --help` answers at once."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Connector: wins back lost sales.")
people = typer.Typer(no_args_is_help=True, help="Our own people, who help merchants.")
app.add_typer(people, name="staff")


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


@app.command()
def doctor(
    shop: Annotated[str, typer.Argument(help="The shop's domain or public id.")],
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Examine a shop's connection and say what must be mended; 1 if anything must."""
    from connector.cli import process
    from connector.cli.doctor import run

    process.run_code(lambda settings: run(settings, shop, as_json=json))


@app.command("resync")
def resync_shop(
    shop: Annotated[str, typer.Argument(help="The shop's domain or public id.")],
    why: Annotated[str, typer.Option(help="Why; kept with the run and in the audit.")],
    what: Annotated[str, typer.Option(help="all, orders, customers, checkouts, products or codes")] = "all",
    id: Annotated[str, typer.Option("--id", help="Only the record with this id in the store; say of what.")] = "",
    since: Annotated[str, typer.Option(help="What changed from this day on, as 2026-11-01, by the shop's calendar.")] = "",
    until: Annotated[str, typer.Option(help="What changed up to this day, which counts too.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what differs, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Write at once, without showing what differs first.")] = False,
) -> None:
    """Read a shop's records again and mend what differs; 0 if nothing differs in the end, 1 if something does, 2 for wrong usage."""
    from connector.cli import process
    from connector.cli.resync import run
    from connector.rules.resyncing import Asked

    asked = Asked(what, id, since, until)
    process.run_code(lambda settings: run(settings, shop, asked, why=why, is_dry_run=dry_run, is_sure=yes))


@app.command()
def reseal() -> None:
    """Seal what is kept sealed with the newest key of SEALING_KEY, so that the older ones can be removed."""
    from connector.cli import manage, process

    process.run(manage.reseal)


@people.command("add")
def add_staff(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="What colleagues and the audit call this person.")],
    role: Annotated[str, typer.Option(help="viewer, support or admin")] = "viewer",
) -> None:
    """Let a person in. Asks for the password twice, or reads it from the standard input."""
    from connector.cli import process, staff

    process.run(lambda settings: staff.add(settings, email, name, role))


@people.command("list")
def list_staff() -> None:
    """List the people and whether their second factor is set up."""
    from connector.cli import process, staff

    process.run(staff.list_staff)


@people.command("disable")
def disable_staff(email: Annotated[str, typer.Argument(help="The person's address.")]) -> None:
    """Let a person in no more, from this moment on."""
    from connector.cli import process, staff

    process.run(lambda settings: staff.disable(settings, email))


@people.command("reset-second-factor")
def reset_second_factor(email: Annotated[str, typer.Argument(help="The person's address.")]) -> None:
    """Forget a person's authenticator app; the next sign-in sets up a new one."""
    from connector.cli import process, staff

    process.run(lambda settings: staff.reset_second_factor(settings, email))
