"""Browsers that are signed in, and the forms they send."""

import re
import secrets
from typing import Any

from httpx import Response
from starlette.testclient import TestClient

from connector.rules.permissions import Role, StaffRole
from connector.store import members, passwords, sessions, staff
from connector.web import cookies
from connector.web.asking import token_of
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import scalar

BROWSER = "b" * 32


def sign_in(client: TestClient, parts: Composition, shop: TestShop, role: Role = Role.OWNER) -> str:
    """Sign the browser in as a member of the shop's account with that role; returns the member's public id."""
    account_id = int(scalar(parts, "select account_id from shops where id = :id", id=shop.id))
    email, token = f"{role.value.replace('_', '-')}-{account_id}@members.example", secrets.token_urlsafe(32)
    with parts.db.system_transaction("sign in for a test") as session:
        known = [one for one in members.list_members(session, account_id) if one.email == email]
        row = known[0] if known else members.add(session, account_id, email, role)
        sessions.begin(session, parts.services.vault, token, member_id=row.id)
    keep(client, cookies.SESSION, token)
    return row.public_id


def sign_in_staff(client: TestClient, parts: Composition, role: StaffRole = StaffRole.SUPPORT) -> str:
    """Sign the browser in as one of the staff with that role, both factors shown; returns their public id."""
    email, token = f"{role.value}@staff.example", secrets.token_urlsafe(32)
    with parts.db.system_transaction("sign in for a test") as session:
        row = staff.find_by_email(session, email)
        if row is None:
            row = staff.add(session, email, f"Sam {role.value}", role, passwords.spare_hash())
        sessions.begin(session, parts.services.vault, token, staff_id=row.id, is_second_factor_done=True)
    keep(client, cookies.STAFF, token)
    return row.public_id


def keep(client: TestClient, name: str, value: str) -> None:
    """Put one of our cookies into the browser, by the name it has there, in place of what we set."""
    full = name if client.base_url.scheme == "http" else f"__Host-{name}"
    for cookie in [one for one in client.cookies.jar if one.name == full]:
        client.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
    host = client.base_url.host
    client.cookies.set(full, value, domain=host if "." in host else f"{host}.local")


def send(client: TestClient, parts: Composition, path: str, **fields: Any) -> Response:
    """Send a form as our own page would."""
    keep(client, cookies.BROWSER, BROWSER)
    data = {"csrf": token_of(parts, BROWSER), **fields}
    origin = f"{client.base_url.scheme}://{client.base_url.host}:{client.base_url.port}" if client.base_url.port else None
    headers = {"sec-fetch-site": "same-origin", "origin": origin or str(client.base_url).rstrip("/")}
    return client.post(path, data=data, headers=headers)


def links_in(text: str) -> list[str]:
    """The paths of the sign-in links in a mail."""
    return [f"/sign-in/{token}" for token in re.findall(r"/sign-in/([A-Za-z0-9_-]+)", text)]
