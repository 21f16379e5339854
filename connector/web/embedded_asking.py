"""
Who asks from inside Shopify's admin: a person of one shop, proven by a session token with each request.

No cookie of ours works inside another site's page. The token stands in a header that no other site can have a browser send, so
these requests need no form token of ours.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import structlog
from fastapi import Depends, HTTPException, Request
from starlette.responses import HTMLResponse

from connector.errors import NotFound
from connector.platforms import AdminSession, BadSignature, Embedded
from connector.rules.permissions import Permission, Role, member_may
from connector.store import audit, installs, members
from connector.store.access_tables import MemberRow
from connector.store.audit import Actor
from connector.store.db import Session, app_now
from connector.store.members import PlatformUser
from connector.store.tables import ShopRow
from connector.web.composition import Composition
from connector.web.headers import REQUEST_ID
from connector.web.inputs import Parts
from connector.web.language import accepted, language_of
from connector.web.pages import render
from connector.web.shell import Shell

PLATFORM = "shopify"
RETRY = {"x-shopify-retry-invalid-session-request": "1"}
"""App Bridge then gets a new session token and asks once more."""
BEARER = "bearer "

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AdminAsk:
    """One request of a person in the admin of `person.domain`."""

    parts: Composition
    request: Request
    language: str
    embedded: Embedded
    person: AdminSession
    now: datetime

    @property
    def key(self) -> str:
        """The person as members' rows name them."""
        return f"{PLATFORM}:{self.person.domain}:{self.person.user_id}"

    def actor(self, member: MemberRow) -> Actor:
        """The member as audit entries name them."""
        return Actor(f"member {member.public_id}", self.request.scope[REQUEST_ID])

    def shop(self, session: Session) -> ShopRow | None:
        """The shop, if it is connected."""
        shop = installs.find_shop(session, PLATFORM, self.person.domain)
        return None if shop is None or shop.state != "connected" or shop.credentials is None else shop

    def member(self, session: Session, account_id: int) -> MemberRow | None:
        """The person as a member of the shop's account; None if they were never let in, or were removed."""
        row = members.recognise(session, account_id, self.key)
        return None if row is None or row.removed_at is not None else row

    def member_who_may(self, session: Session, permission: Permission) -> tuple[ShopRow, MemberRow]:
        """The shop and the member. Raises HTTPException 403 for anybody who may not, NotFound for a shop that is not connected."""
        shop = self.shop(session)
        if shop is None:
            raise NotFound("The shop is not connected.")
        member = self.member(session, shop.account_id)
        if member is None or not member_may(Role(member.role), permission):
            raise HTTPException(403)
        return shop, member

    def render(self, name: str, page: object, status: int = 200) -> HTMLResponse:
        """Fill a part of the page."""
        return render(Shell(language=self.language, path=""), name, page, status=status)


def in_admin(request: Request, parts: Parts, locale: str = "") -> AdminAsk:
    """Whoever shows a session token. Raises HTTPException 401, upon which the page gets a new one."""
    embedded = embedded_of(parts)
    header = request.headers.get("authorization", "")
    with parts.db.system_transaction("what time somebody asks from an admin") as session:
        now = app_now(session)
    try:
        person = embedded.open_session(header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else "", now)
    except BadSignature as error:
        raise HTTPException(401, headers=RETRY) from error
    return AdminAsk(parts, request, admin_language(request, locale), embedded, person, now)


def embedded_of(parts: Composition) -> Embedded:
    """What the platform says of pages in its admin. Raises NotFound if it has none."""
    platform = parts.services.platforms.get(PLATFORM)
    if platform is None or platform.embedded is None:
        raise NotFound("There is no such page.")
    return platform.embedded


def admin_language(request: Request, locale: str) -> str:
    """The language of the admin around our page, where it tells one."""
    return accepted(locale) if locale else language_of(request)


def let_in(ask: AdminAsk, account_id: int) -> MemberRow | None:
    """
    The member that the person is in the shop's account; made, if they may be one and are not yet. None if they are nobody here.

    Raises InstallRefused (a new session token helps) or PlatformError if the platform does not say who they are.
    """
    with ask.parts.db.system_transaction("somebody opens our page in an admin") as session:
        known = members.recognise(session, account_id, ask.key)
    if known is not None:
        return known if known.removed_at is None else None
    user = ask.embedded.who(ask.person, ask.now)
    newcomer = PlatformUser(
        ask.key, user.is_owner, user.sees_customers, user.email, accepted(user.language or "") if user.language else None
    )
    with ask.parts.db.system_transaction("somebody new opens our page in an admin") as session:
        member = members.admit(session, account_id, newcomer)
        if member is None:
            return None
        actor = ask.actor(member)
        audit.write(session, actor, "member.recognised", account_id=account_id, object=member.public_id, reason=member.role)
    log.info("admin.member", account_id=account_id, role=member.role)
    return member


InAdmin = Annotated[AdminAsk, Depends(in_admin)]
