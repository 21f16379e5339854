"""
Moving a shop from one account to another. What is known of its people goes along; what only this shop knew of them is forgotten
where it was. Needs a system transaction.

Consent of the account that takes it is a code: sealed, good for an hour. Consent of the other is its owner's own act.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from connector.errors import ConfigError, Refused
from connector.rules.contacts import FIELDS, Saying, recall
from connector.store import people
from connector.store.db import Session
from connector.store.sealed import Vault
from connector.store.work import lease_inbox

LIFETIME = timedelta(hours=1)
BATCH = 1_000
PURPOSE = "take a shop"


def transfer_code(vault: Vault, account_public_id: str, now: datetime) -> str:
    """What the owner of an account gives to whoever shall move a shop into it."""
    until = (now + LIFETIME).isoformat()
    return vault.seal({"purpose": PURPOSE, "account": account_public_id, "until": until}).decode()


def read_transfer_code(vault: Vault, code: str, now: datetime) -> str:
    """The public id of the account that made it. Raises Refused for one that is no such code, or too old."""
    try:
        said = vault.open(code.strip().encode())
        is_good = said.get("purpose") == PURPOSE and now < datetime.fromisoformat(said["until"])
    except (ConfigError, UnicodeEncodeError):
        is_good = False
    if not is_good:
        raise Refused("This code is not good, or older than an hour. Ask for a new one in the account that takes the shop.")
    return said["account"]


def move_shop(session: Session, shop_id: int, account_id: int) -> None:
    """
    Give the shop to another account. Deliveries that arrive meanwhile wait.

    Raises Refused while its deliveries are being applied, and if it is in that account.
    """
    leased = lease_inbox(session, shop_id)
    if leased is None:
        raise Refused("The shop is busy at this moment. Please try again in a few seconds.")
    if leased.account_id == account_id:
        raise Refused("The shop is in this account already.")
    emails = _emails(session, shop_id)
    for start in range(0, len(emails), BATCH):
        ids = people.say_of_contacts(session, account_id, _known(session, leased.account_id, emails[start : start + BATCH]))
        session.execute(_POINT, {"shop": shop_id, "emails": list(ids), "ids": list(ids.values())})
    session.execute(text("update shops set account_id = :account where id = :shop"), {"shop": shop_id, "account": account_id})
    session.execute(text("update notices set account_id = :account where shop_id = :shop"), {"shop": shop_id, "account": account_id})
    session.execute(_FORGET, {"account": leased.account_id})


def _emails(session: Session, shop_id: int) -> list[str]:
    """Everybody whom the shop knows by an address."""
    statement = text("""
        select email_norm from customers where shop_id = :shop and email_norm is not null
        union select email_norm from checkouts where shop_id = :shop and email_norm is not null
        union select email_norm from orders where shop_id = :shop and email_norm is not null
        order by 1
    """)
    return list(session.execute(statement, {"shop": shop_id}).scalars())


def _known(session: Session, account_id: int, emails: Sequence[str]) -> Mapping[str, list[Saying]]:
    statement = text(f"select email, known_at, {', '.join(FIELDS)} from contacts where account_id = :account and email = any(:emails)")
    rows = session.execute(statement, {"account": account_id, "emails": list(emails)})
    return {
        email: list(
            recall(dict(zip(FIELDS, values, strict=True)), {name: datetime.fromisoformat(at) for name, at in known_at.items()}).values()
        )
        for email, known_at, *values in rows
    }


_POINT = text("""
    update customers c set contact_id = k.id
    from unnest(cast(:emails as text[]), cast(:ids as bigint[])) k (email, id)
    where c.shop_id = :shop and c.email_norm = k.email
""")
# Nobody is kept whom no shop of the account knows.
_FORGET = text("""
    delete from contacts k where k.account_id = :account and not exists (
        select 1 from shops s where s.account_id = :account and (
            exists (select 1 from customers x where x.shop_id = s.id and x.email_norm = k.email)
            or exists (select 1 from checkouts x where x.shop_id = s.id and x.email_norm = k.email)
            or exists (select 1 from orders x where x.shop_id = s.id and x.email_norm = k.email)))
""")
