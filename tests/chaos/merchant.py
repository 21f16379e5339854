"""A merchant who is signed in to a running stack."""

import secrets
from dataclasses import dataclass

from connector.store import members, sessions, shops
from connector.web import cookies
from connector.web.asking import CSRF
from tests.chaos.stack import Stack

BROWSER = "m" * 32


@dataclass(frozen=True, slots=True)
class Merchant:
    """What their browser sends along: cookies with every request, the token with every form."""

    cookie: str
    csrf: str

    @property
    def headers(self) -> dict[str, str]:
        """The cookies as a header."""
        return {"Cookie": self.cookie}

    def form(self, **fields: str) -> dict[str, str]:
        """A form of ours."""
        return {CSRF: self.csrf, **fields}


def sign_in(stack: Stack, shop_id: int) -> Merchant:
    """An owner of the shop's account, past all proxies."""
    services, token = stack.services(), secrets.token_urlsafe(32)
    with services.db.system_transaction("a merchant of a case signs in") as session:
        owner = members.add_first(session, shops.get_shop(session, shop_id).account_id, None)
        sessions.begin(session, services.vault, token, member_id=owner.id)
    csrf = services.vault.keyed_hash("csrf", BROWSER).hex()
    return Merchant(f"{cookies.SESSION}={token}; {cookies.BROWSER}={BROWSER}", csrf)
