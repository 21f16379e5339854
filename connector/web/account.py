"""What an owner settles: who belongs to the account, which programs may read it, and what was done in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import Refused
from connector.messages.letters import invitation_letter
from connector.rules.permissions import Permission, Role, Scope
from connector.rules.zones import zone
from connector.store import api_keys, audit, members, shops, system_mails
from connector.store.access_tables import ApiKeyRow, MemberRow
from connector.store.automation_tables import AuditEntryRow
from connector.store.db import Session
from connector.store.system_mails import SystemMail
from connector.web.actions import action_text
from connector.web.auth import MemberAsk, acting, reading
from connector.web.formats import Moment, moment, moment_or_none
from connector.web.language import N_

PAGE = 50
ROLES = {
    Role.OWNER: N_("Owner: everything"),
    Role.MARKETER: N_("Marketer: automations, previews, exports"),
    Role.READ_ONLY: N_("Read-only: looks at everything"),
}
SCOPES = {
    Scope.SHOPS_READ: N_("Read shops"),
    Scope.CHECKOUTS_READ: N_("Read checkouts, with their shoppers’ contact data"),
    Scope.OFFERS_READ: N_("Read offers, with the codes and links that shoppers were given"),
}
OUR_STAFF = N_("Our support")
MOST_NAME = 80

router = APIRouter(prefix="/app")
Members = Annotated[MemberAsk, Depends(reading(Permission.MEMBERS))]
ChangeMembers = Annotated[MemberAsk, Depends(acting(Permission.MEMBERS))]
Keys = Annotated[MemberAsk, Depends(reading(Permission.KEYS))]
ChangeKeys = Annotated[MemberAsk, Depends(acting(Permission.KEYS))]


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One member."""

    public_id: str
    email: str
    role: str
    since: Moment
    is_me: bool


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Who belongs to the account. `typed` is an address that was refused, with the `problem`."""

    members: tuple[MemberLine, ...]
    roles: tuple[tuple[str, str], ...]
    typed: str = ""
    chosen: str = Role.MARKETER.value
    problem: str = ""


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key, without the key."""

    public_id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: Moment
    last_used_at: Moment | None
    revoked_at: Moment | None


@dataclass(frozen=True, slots=True)
class KeysPage:
    """Which programs may read the account. `fresh` is a key that was made just now and is never shown again."""

    keys: tuple[KeyLine, ...]
    scopes: tuple[tuple[str, str], ...]
    fresh: str = ""
    typed: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing that was done."""

    at: Moment
    actor: str
    action: str
    code: str
    shop: str
    object: str
    reason: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """What was done in the account, newest first. `older` leads on; empty: no more."""

    entries: tuple[AuditLine, ...]
    older: str
    newest: str


@router.get("/members")
def show_members(ask: Members) -> Response:
    """The members and the form for one more."""
    return _members(ask)


@router.post("/members")
def add_member(ask: ChangeMembers) -> Response:
    """Add a member; they get an e-mail that leads to the sign-in."""
    email, role = ask.fields.get("email", "").strip()[:320], _role(ask.fields.get("role", ""))
    try:
        with ask.transaction() as session:
            added = members.add(session, ask.account_id, email, role, ask.language)
            ask.audit(session, "member.added", object=added.public_id, reason=role.value)
            _invite(session, ask, added)
    except Refused as error:
        return _members(ask, typed=email, chosen=role.value, problem=ask.refusal(error), status=422)
    return ask.redirect("/app/members", "member-added")


@router.post("/members/{public_id}/role")
def change_role(public_id: str, ask: ChangeMembers) -> Response:
    """Give a member another role. Refused for the last owner."""
    with ask.transaction() as session:
        members.get_member(session, ask.account_id, public_id)
        role = _role(ask.fields.get("role", ""))
        members.change_role(session, ask.account_id, public_id, role)
        ask.audit(session, "member.role", object=public_id, reason=role.value)
    return ask.redirect("/app/members", "saved")


@router.post("/members/{public_id}/removal")
def remove_member(public_id: str, ask: ChangeMembers) -> Response:
    """Remove a member; they are signed out everywhere at once. Refused for the last owner."""
    with ask.parts.db.system_transaction("remove a member and their sessions") as session:
        members.remove(session, ask.account_id, public_id)
        ask.audit(session, "member.removed", object=public_id)
    return ask.redirect("/app/members", "member-removed")


@router.get("/keys")
def show_keys(ask: Keys) -> Response:
    """The keys and the form for one more."""
    return _keys(ask)


@router.post("/keys")
def issue_key(ask: ChangeKeys) -> Response:
    """Make a key. It is on this one page and nowhere else."""
    name = " ".join(ask.fields.get("name", "").split())[:MOST_NAME]
    scopes = [scope for scope in Scope if ask.fields.get(scope.value) == "on"]
    if not name or not scopes:
        problem = ask.gettext(N_("Please name the key and choose what it may read."))
        return _keys(ask, typed=name, problem=problem, status=422)
    with ask.transaction() as session:
        row, key = api_keys.issue(session, ask.parts.services.vault, ask.account_id, name, scopes, ask.who().name)
        ask.audit(session, "key.issued", object=row.public_id, reason=" ".join(scopes))
    return _keys(ask, fresh=key)


@router.post("/keys/{public_id}/revocation")
def revoke_key(public_id: str, ask: ChangeKeys) -> Response:
    """The key is refused from now on."""
    with ask.transaction() as session:
        api_keys.revoke(session, ask.account_id, public_id)
        ask.audit(session, "key.revoked", object=public_id)
    return ask.redirect("/app/keys", "key-revoked")


@router.get("/audit")
def show_audit(ask: Annotated[MemberAsk, Depends(reading(Permission.AUDIT))], before: str = "") -> Response:
    """What was done in the account, by members, staff and programs."""
    start = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
    with ask.transaction() as session:
        entries = audit.list_entries(session, account_id=ask.account_id, before=start, limit=PAGE + 1)
        names = {shop.id: shop.name for shop in shops.list_shops(session)}
        people = {f"member {row.public_id}": row.email or "" for row in members.list_members(session, ask.account_id)}
    shown = entries[:PAGE]
    older = f"/app/audit?before={shown[-1].id}" if len(entries) > PAGE else ""
    page = AuditPage(tuple(_audit_line(ask, entry, names, people) for entry in shown), older, "/app/audit" if start else "")
    return ask.render("audit.html", page)


def _members(ask: MemberAsk, *, typed: str = "", chosen: str = Role.MARKETER.value, problem: str = "", status: int = 200) -> Response:
    with ask.transaction() as session:
        rows = members.list_members(session, ask.account_id)
        place = zone(_first_zone(session))
    lines = tuple(
        MemberLine(
            row.public_id, row.email or "", row.role, moment(row.created_at, place, ask.language), row.public_id == ask.member.public_id
        )
        for row in rows
    )
    roles = tuple((role.value, ask.gettext(words)) for role, words in ROLES.items())
    return ask.render("members.html", MembersPage(lines, roles, typed, chosen, problem), status=status)


def _keys(ask: MemberAsk, *, fresh: str = "", typed: str = "", problem: str = "", status: int = 200) -> Response:
    with ask.transaction() as session:
        rows: Sequence[ApiKeyRow] = api_keys.list_keys(session, ask.account_id)
        place = zone(_first_zone(session))
    lines = tuple(
        KeyLine(
            public_id=row.public_id,
            name=row.name,
            hint=row.hint,
            scopes=tuple(row.scopes),
            created_at=moment(row.created_at, place, ask.language),
            last_used_at=moment_or_none(row.last_used_at, place, ask.language),
            revoked_at=moment_or_none(row.revoked_at, place, ask.language),
        )
        for row in rows
    )
    scopes = tuple((scope.value, ask.gettext(words)) for scope, words in SCOPES.items())
    return ask.render("keys.html", KeysPage(lines, scopes, fresh, typed, problem), status=status)


def _audit_line(ask: MemberAsk, entry: AuditEntryRow, shop_names: dict[int | None, str], people: dict[str, str]) -> AuditLine:
    place = zone("UTC")
    return AuditLine(
        at=moment(entry.at, place, ask.language),
        actor=people.get(entry.actor) or (ask.gettext(OUR_STAFF) if entry.actor.startswith("staff ") else entry.actor),
        action=ask.gettext(action_text(entry.action)),
        code=entry.action,
        shop=shop_names.get(entry.shop_id, ""),
        object=entry.object or "",
        reason=entry.reason or "",
        request_id=entry.request_id or "",
    )


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise Refused(N_("Please choose one of the roles.")) from error


def _first_zone(session: Session) -> str:
    """An account has no zone of its own: its first shop's, else UTC."""
    return next((shop.timezone for shop in shops.list_shops(session)), "UTC")


def _invite(session: Session, ask: MemberAsk, added: MemberRow) -> None:
    settings = ask.parts.settings
    url = settings.browser_url(f"{settings.public_url.rstrip('/')}/sign-in")
    letter = invitation_letter(ask.language, ask.member.account_name, url)
    mail = SystemMail(to=added.email or "", subject=letter.subject, text=letter.text, html=letter.html, sender=settings.mail_from)
    system_mails.queue(session, ask.parts.services.vault, "invitation", mail, account_id=ask.account_id)
