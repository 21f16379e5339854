"""
Who asks: a member of an account, or one of the staff; and whether they may.

A view names what it needs: `reading(Permission.X)` for pages, `acting(Permission.X)` for forms, which must be ours (`asking`). The
session is looked up once for each request; its token is changed every quarter of an hour.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, HTTPException, Request

from connector.errors import NotFound
from connector.rules.permissions import Permission, Role, StaffPermission, StaffRole, member_may, staff_may
from connector.store import audit, sessions, shops
from connector.store.db import Session
from connector.store.members import Membership
from connector.store.sessions import Signed, StaffView
from connector.store.tables import ShopRow
from connector.web import cookies
from connector.web.asking import Ask, browser_of, check_form
from connector.web.composition import Composition
from connector.web.inputs import Fields, Parts, Posted, known_id, posted_form
from connector.web.language import N_, language_of
from connector.web.pages import Elsewhere
from connector.web.shell import Shell, nav_of, path_of

MEMBER_SECONDS = 14 * 86_400
STAFF_SECONDS = 12 * 3_600
NOT_ALLOWED = N_("Your role does not allow this. Somebody with more rights in your account can do it, or change your role.")

_SHOPS = re.compile("^/app/shops/")
PLACES = (
    (N_("Dashboard"), "/app", Permission.VIEW),
    (N_("Checkouts"), "/app/checkouts", Permission.VIEW),
    (N_("Connect a store"), "/app/connect", Permission.CONNECT),
    (N_("Members"), "/app/members", Permission.MEMBERS),
    (N_("Privacy"), "/app/privacy", Permission.PRIVACY),
    (N_("API keys"), "/app/keys", Permission.KEYS),
    (N_("Audit"), "/app/audit", Permission.AUDIT),
)
STAFF_PLACES = (
    (N_("Search"), "/support", StaffPermission.LOOK),
    (N_("Privacy"), "/support/privacy", StaffPermission.LOOK),
    (N_("Audit"), "/support/audit", StaffPermission.AUDIT),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAsk(Ask):
    """A request of a member, who sees their account and nothing else. `files`: those that an upload form brought."""

    member: Membership
    session_public_id: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def account_id(self) -> int:
        """The member's account."""
        return self.member.account_id

    def may(self, permission: Permission) -> bool:
        """Whether the member's role allows it."""
        return member_may(Role(self.member.role), permission)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction that sees all shops of the account, and nothing else."""
        with self.parts.db.transaction(account=self.account_id) as session:
            yield session

    def shop(self, session: Session, public_id: str) -> ShopRow:
        """The shop of that name. Raises NotFound for one that is another's, as for one that is not there."""
        shop = shops.find_shop(session, known_id(public_id))
        if shop.account_id != self.account_id:
            raise NotFound("There is no such shop.")
        return shop

    def who(self) -> audit.Actor:
        """The member as audit entries name them."""
        return self.actor(f"member {self.member.public_id}")

    def audit(
        self, session: Session, action: str, *, shop: ShopRow | None = None, object: str | None = None, reason: str | None = None
    ) -> None:
        """Write down what was done."""
        shop_id = None if shop is None else shop.id
        audit.write(session, self.who(), action, account_id=self.account_id, shop_id=shop_id, object=object, reason=reason)

    def shell(self) -> Shell:
        """The frame of a member's page."""
        places = [(label, url) for label, url, needed in PLACES if self.may(needed)]
        return _framed(Ask.shell(self), "merchant", places, self.member.email or "", self.member.account_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffAsk(Ask):
    """A request of one of the staff, who may look into every account and leaves a trace of it."""

    staff: StaffView
    session_public_id: str

    def may(self, permission: StaffPermission) -> bool:
        """Whether their role allows it."""
        return staff_may(StaffRole(self.staff.role), permission)

    @contextmanager
    def system(self, reason: str) -> Iterator[Session]:
        """A transaction that sees every tenant."""
        with self.parts.db.system_transaction(reason) as session:
            yield session

    @contextmanager
    def transaction(self, shop_id: int) -> Iterator[Session]:
        """A transaction that sees one shop."""
        with self.parts.db.transaction(shop=shop_id) as session:
            yield session

    def who(self) -> audit.Actor:
        """The person as audit entries name them."""
        return self.actor(f"staff {self.staff.public_id}")

    def audit(
        self, session: Session, action: str, *, shop: ShopRow | None = None, object: str | None = None, reason: str | None = None
    ) -> None:
        """Write down what was done or looked at."""
        account_id, shop_id = (None, None) if shop is None else (shop.account_id, shop.id)
        audit.write(session, self.who(), action, account_id=account_id, shop_id=shop_id, object=object, reason=reason)

    def need_reason(self, session: Session, shop: ShopRow) -> str:
        """The reason this person gave for looking into the shop. Raises Elsewhere, to where it is asked for, if there is none."""
        assert shop.id is not None
        reason = audit.reason_given(session, self.session_public_id, shop.id)
        if reason is None:
            after = path_of(self.request) if self.request.method == "GET" else f"/support/shops/{shop.public_id}"
            raise Elsewhere(f"/support/shops/{shop.public_id}/reason?next={quote(after, safe='')}")
        return reason

    def shell(self) -> Shell:
        """The frame of a support page."""
        places = [(label, url) for label, url, needed in STAFF_PLACES if self.may(needed)]
        return _framed(Ask.shell(self), "support", places, f"{self.staff.name} ({self.staff.role})", "")


def reading(permission: Permission) -> Callable[[Request, Composition], MemberAsk]:
    """A dependency: a member who may, and reads. Nobody signed in is led to the sign-in; raises HTTPException 403."""

    def member(request: Request, parts: Parts) -> MemberAsk:
        return _member(request, parts, permission)

    member.needs = permission  # type: ignore[attr-defined]
    return member


def acting(permission: Permission) -> Callable[[Request, Composition, Fields], MemberAsk]:
    """A dependency: a member who may, and sends a form of ours. Raises HTTPException 403 for any other form."""

    def member(request: Request, parts: Parts, fields: Fields) -> MemberAsk:
        check_form(request, parts, fields)
        return _member(request, parts, permission, fields)

    member.needs = permission  # type: ignore[attr-defined]
    return member


def who_sends(request: Request, parts: Parts) -> Signed | None:
    """A dependency: the member whose browser it is, before anything of what it sends is read."""
    return signed_in(request, parts, cookies.SESSION)


SentBy = Annotated[Signed | None, Depends(who_sends)]


async def upload_fields(request: Request, signed: SentBy) -> Posted:
    """A dependency: what an upload form brought."""
    return await posted_form(request, takes_files=signed is not None and signed.member is not None)


def uploading(permission: Permission) -> Callable[[Request, Composition, Signed | None, Posted], MemberAsk]:
    """As `acting`, for a form that may bring a file. Whoever is not signed in may send no more than with any other form."""

    def member(request: Request, parts: Parts, signed: SentBy, posted: Annotated[Posted, Depends(upload_fields)]) -> MemberAsk:
        check_form(request, parts, posted.fields)
        return replace(_to_member(request, parts, permission, signed, posted.fields), files=posted.files)

    member.needs = permission  # type: ignore[attr-defined]
    return member


def staff_reading(permission: StaffPermission) -> Callable[[Request, Composition], StaffAsk]:
    """The same for staff, who have shown their second factor."""

    def staff(request: Request, parts: Parts) -> StaffAsk:
        return _staff(request, parts, permission)

    staff.needs = permission  # type: ignore[attr-defined]
    return staff


def staff_acting(permission: StaffPermission) -> Callable[[Request, Composition, Fields], StaffAsk]:
    """The same for forms of staff."""

    def staff(request: Request, parts: Parts, fields: Fields) -> StaffAsk:
        check_form(request, parts, fields)
        return _staff(request, parts, permission, fields)

    staff.needs = permission  # type: ignore[attr-defined]
    return staff


def signed_in(request: Request, parts: Composition, cookie: str) -> Signed | None:
    """Whose session the browser's cookie names; None for nobody's. A token that was changed goes back as a cookie."""
    token = cookies.read(request, parts.settings, cookie)
    if not token:
        return None
    with parts.db.system_transaction("who asks") as session:
        look = sessions.look(session, parts.services.vault, token, secrets.token_urlsafe(32))
    if look is None:
        cookies.write(request, parts.settings, cookie, "", 0)
        return None
    if look.fresh_token is not None:
        seconds = STAFF_SECONDS if cookie == cookies.STAFF else MEMBER_SECONDS
        cookies.write(request, parts.settings, cookie, look.fresh_token, seconds)
    return look.signed


def _member(request: Request, parts: Composition, permission: Permission, fields: Mapping[str, str] | None = None) -> MemberAsk:
    return _to_member(request, parts, permission, signed_in(request, parts, cookies.SESSION), fields)


def _to_member(
    request: Request, parts: Composition, permission: Permission, signed: Signed | None, fields: Mapping[str, str] | None
) -> MemberAsk:
    if signed is None or signed.member is None:
        raise Elsewhere(_sign_in(request, "/sign-in"))
    ask = MemberAsk(
        parts=parts,
        request=request,
        language=language_of(request),
        browser=browser_of(request, parts),
        fields=fields or {},
        member=signed.member,
        session_public_id=signed.session_public_id,
    )
    if not ask.may(permission):
        raise HTTPException(403, NOT_ALLOWED)
    return ask


def _staff(request: Request, parts: Composition, permission: StaffPermission, fields: Mapping[str, str] | None = None) -> StaffAsk:
    signed = signed_in(request, parts, cookies.STAFF)
    if signed is None or signed.staff is None:
        raise Elsewhere(_sign_in(request, "/support/sign-in"))
    if not signed.is_second_factor_done:
        raise Elsewhere(_sign_in(request, "/support/second-factor"))
    ask = StaffAsk(
        parts=parts,
        request=request,
        language=language_of(request),
        browser=browser_of(request, parts),
        fields=fields or {},
        staff=signed.staff,
        session_public_id=signed.session_public_id,
    )
    if not ask.may(permission):
        raise HTTPException(403, NOT_ALLOWED)
    return ask


def _sign_in(request: Request, page: str) -> str:
    """Where to sign in, and back to the page that was wanted; a form that was sent meanwhile is not sent again."""
    return f"{page}?next={quote(path_of(request), safe='')}" if request.method == "GET" else page


def _framed(shell: Shell, area: str, places: list[tuple[str, str]], who: str, account: str) -> Shell:
    # The pages of one shop hang below the list of its checkouts.
    nav = nav_of(shell.language, _SHOPS.sub("/app/checkouts/", shell.path), places)
    return replace(shell, area=area, nav=nav, who=who, account=account)
