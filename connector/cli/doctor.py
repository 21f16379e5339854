"""Examining a shop's connection from the command line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import structlog
from rich.markup import escape
from rich.table import Table

from connector.checkups import Check, Verdict
from connector.cli.process import console, upgrade, with_database
from connector.config import Settings
from connector.store import shops
from connector.store.checkups import KeptCheckup
from connector.web.composition import compose
from connector.web.examining import examine
from connector.web.language import DEFAULT, translator
from connector.web.merchant.check_phrases import worded

COLOURS = {Verdict.BAD: "red", Verdict.ATTENTION: "yellow", Verdict.GOOD: "green", Verdict.UNKNOWN: "dim"}


def run(settings: Settings, name: str, *, as_json: bool) -> int:
    """Examine the shop of that domain or public id now, print and keep what was found; 1 if anything is bad. Raises NotFound, Refused."""
    with logs_aside(), with_database(settings) as ready:
        upgrade(ready)
        with compose(ready) as composition:
            with composition.db.system_transaction("examine a connection on the command line") as session:
                shop = shops.find_shop(session, name)
                shop_id, told = shop.id, {"shop": shop.public_id, "platform": shop.platform, "domain": shop.domain}
            assert shop_id is not None
            kept = examine(composition, shop_id)
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(_listed(told, kept)), indent=2).decode() + "\n")
    else:
        _print(told["domain"], kept)
    return int(any(one.verdict is Verdict.BAD for one in kept.checks))


@contextmanager
def logs_aside() -> Iterator[None]:
    """Logs go to the standard error meanwhile: the standard output holds the result and nothing else."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        yield
    finally:
        structlog.configure(**before)


def _print(domain: str, kept: KeptCheckup) -> None:
    table = Table(
        "check", "verdict", "what was seen, and what helps", title=f"Connection of {escape(domain)}", title_justify="left", show_lines=True
    )
    for check in kept.checks:
        words = worded(check, translator(DEFAULT).gettext)
        text = "\n".join(escape(part) for part in (words.says, f"→ {words.cure}" if words.cure else "") if part)
        table.add_row(escape(words.title), f"[{COLOURS[check.verdict]}]{words.verdict}[/]", text)
    console.print(table)
    counts = {verdict: sum(one.verdict is verdict for one in kept.checks) for verdict in (Verdict.BAD, Verdict.ATTENTION)}
    console.print(f"{counts[Verdict.BAD]} to mend, {counts[Verdict.ATTENTION]} worth a look, {len(kept.checks)} looked at.")


def _listed(told: dict[str, str], kept: KeptCheckup) -> dict[str, Any]:
    return {**told, "examined_at": kept.at.isoformat(timespec="seconds"), "checks": [_check(one) for one in kept.checks]}


def _check(check: Check) -> dict[str, Any]:
    words = worded(check, translator(DEFAULT).gettext)
    seen = {"code": check.code, "verdict": check.verdict.value, "cause": check.cause, "found": list(check.found)}
    return {**seen, "title": words.title, "says": words.says, "cure": words.cure}
