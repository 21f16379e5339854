"""Shops from the command line: list them, switch their automation, handle kept deliveries again; and the keys that seal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.table import Table

from connector.cli.process import console, upgrade, with_database
from connector.config import Settings
from connector.errors import Refused
from connector.rules import activation
from connector.store import automations, deliveries, resealing, shops
from connector.store.audit import Actor
from connector.store.db import Database
from connector.store.resealing import Place
from connector.store.sealed import Vault, open_vault

ACTOR = Actor("command line")


def list_shops(settings: Settings) -> None:
    """Print the installed shops with their automation."""
    with opened(settings) as db:
        table = Table("shop", "platform", "domain", "state", "automation", title="Shops")
        with db.system_transaction("list shops on the command line") as session:
            for shop in shops.list_shops(session):
                assert shop.id is not None
                row = automations.get_automation(session, shop.id)
                table.add_row(shop.public_id, shop.platform, shop.domain, shop.state, "on" if row.is_on else "off")
        console.print(table)


def switch(settings: Settings, name: str, to: str) -> None:
    """Turn the abandoned-checkout automation of a shop on or off. Raises Refused with the reason."""
    if to not in ("on", "off"):
        raise Refused(f"say on or off, not {to!r}")
    with opened(settings) as db, db.system_transaction("switch an automation on the command line") as session:
        shop = shops.find_shop(session, name)
        if to == "on":
            activation.check(activation.facts(shop, can_send_mail=settings.can_send_mail))
            automations.turn_on(session, shop, ACTOR)
            console.print(f"The abandoned-checkout e-mail of {shop.name} is on.")
        else:
            cancelled = automations.turn_off(session, shop, ACTOR)
            console.print(f"The abandoned-checkout e-mail of {shop.name} is off; {cancelled} queued messages were cancelled.")


def replay(settings: Settings, name: str, state: str) -> None:
    """Let kept deliveries of a shop wait again; a running worker handles them."""
    with opened(settings) as db:
        with db.system_transaction("replay on the command line") as session:
            shop = shops.find_shop(session, name)
            assert shop.id is not None
            ids = deliveries.ids_in_state(session, shop.id, state)
            deliveries.replay(session, ids)
        console.print(f"{len(ids)} deliveries of {shop.name} wait again.")


def reseal(settings: Settings) -> None:
    """
    Seal everything that is kept sealed with the newest key of SEALING_KEY; afterwards the others can be removed from it.

    Passes go on until one finds nothing left, so that what is written meanwhile by processes with the old setting is found too.
    """
    with opened(settings) as db:
        vault, count, last = _settled(db, settings), 0, -1
        while last:
            last = sum(_reseal_place(db, vault, place) for place in resealing.PLACES)
            count += last
    console.print(f"{count} values were sealed with the newest key. Those behind it in SEALING_KEY are needed no longer.")


def _settled(db: Database, settings: Settings) -> Vault:
    with db.system_transaction("the key of hashes on the command line") as session:
        return resealing.settle(session, open_vault(settings))


def _reseal_place(db: Database, vault: Vault, place: Place) -> int:
    count, last, is_first = 0, None, True
    while is_first or last is not None:
        with db.system_transaction("seal anew on the command line") as session:
            changed, last = resealing.reseal_some(session, vault, place, last)
        count, is_first = count + changed, False
    return count


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The migrated database of this installation, for one command."""
    with with_database(settings) as ready:
        assert ready.database_url is not None
        upgrade(ready)
        database = Database(ready.database_url.get_secret_value(), pool_size=1)
        try:
            yield database
        finally:
            database.close()
