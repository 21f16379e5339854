"""Our own people from the command line: let them in, list them, let them in no more."""

import getpass
import sys

from rich.table import Table

from connector.cli.manage import ACTOR, opened
from connector.cli.process import console
from connector.config import Settings
from connector.errors import Refused
from connector.rules.permissions import StaffRole
from connector.store import audit, passwords, staff


def add(settings: Settings, email: str, name: str, role: str) -> None:
    """Add a person who signs in with a password and, from the first time on, an authenticator app. Raises Refused with the reason."""
    if role not in set(StaffRole):
        raise Refused(f"say {', '.join(StaffRole)} for the role, not {role!r}")
    password = _ask_password()
    with opened(settings) as db, db.system_transaction("add staff on the command line") as session:
        row = staff.add(session, email, name, StaffRole(role), passwords.hash_password(password))
        audit.write(session, ACTOR, "staff.added", object=row.public_id, reason=role)
    console.print(f"{row.email_norm} may sign in at {settings.public_url.rstrip('/')}/support/sign-in as {role}.", highlight=False)


def list_staff(settings: Settings) -> None:
    """Print everybody."""
    table = Table("address", "name", "role", "second factor", "state", title="Staff")
    with opened(settings) as db, db.system_transaction("list staff on the command line") as session:
        for row in staff.list_staff(session):
            second = "set up" if row.totp_confirmed_at is not None else "not yet"
            table.add_row(row.email_norm, row.name, row.role, second, "active" if row.disabled_at is None else "disabled")
    console.print(table)


def disable(settings: Settings, email: str) -> None:
    """Let a person in no more. Raises NotFound."""
    with opened(settings) as db, db.system_transaction("disable staff on the command line") as session:
        row = staff.disable(session, email)
        audit.write(session, ACTOR, "staff.disabled", object=row.public_id)
    console.print(f"{row.email_norm} may not sign in any more.", highlight=False)


def reset_second_factor(settings: Settings, email: str) -> None:
    """Forget a person's authenticator app. Raises NotFound."""
    with opened(settings) as db, db.system_transaction("reset a second factor on the command line") as session:
        row = staff.reset_second_factor(session, email)
        audit.write(session, ACTOR, "staff.second_factor_reset", object=row.public_id)
    console.print(f"{row.email_norm} sets up a new authenticator app at the next sign-in.", highlight=False)


def _ask_password() -> str:
    """The password, typed twice; or the first line of what is piped in. Raises Refused if it is too short or not the same."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("The same again: ") != password:
            raise Refused("The two passwords are not the same.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not passwords.SHORTEST <= len(password) <= passwords.LONGEST:
        raise Refused(f"A password has {passwords.SHORTEST} to {passwords.LONGEST} signs.")
    return password
