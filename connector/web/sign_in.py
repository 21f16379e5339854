"""
Members sign in by a link in an e-mail: 15 minutes, once, in the browser that asked for it.

Whether an address belongs to a member is never said. Opening the link does not sign in, its page's button does: mail filters open
every link they see.
"""

import secrets
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from connector.messages.letters import sign_in_letter
from connector.store import attempts, audit, members, sessions, sign_in_links, system_mails
from connector.store.db import Session
from connector.store.members import Membership
from connector.store.system_mails import SystemMail
from connector.web import cookies
from connector.web.asking import Ask, Visitor, VisitorPost, local_path
from connector.web.auth import MEMBER_SECONDS, STAFF_SECONDS, signed_in
from connector.web.client import client_address
from connector.web.composition import Composition
from connector.web.language import COOKIE, LANGUAGES, N_

MINUTES = 15
MOST_LINKS = 5
MOST_ASKED = 20
WINDOW_SECONDS = 900
TOO_MANY = N_("That was tried too often. Please wait a quarter of an hour.")
NOT_GOOD = N_(
    "This link does not work: it was used already, it is older than 15 minutes, or it was asked for in another browser. "
    "Please ask for a new one here."
)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The form that asks for an address. `after` is where the member wanted to go."""

    email: str
    after: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SentPage:
    """A link is on its way, if the address is a member's."""

    email: str
    minutes: int


@dataclass(frozen=True, slots=True)
class LinkPage:
    """The button that a link leads to."""

    after: str


@router.get("/sign-in")
def show_sign_in(ask: Visitor, next: str = "") -> Response:
    """Ask for an address."""
    return ask.render("sign_in.html", SignInPage("", local_path(next, "/app")))


@router.post("/sign-in")
def send_link(ask: VisitorPost) -> Response:
    """Mail a link to each membership of the address. The answer is the same whether there is one or not."""
    email, after = ask.fields.get("email", "").strip()[:320], local_path(ask.fields.get("next", ""), "/app")
    if "@" not in email:
        page = SignInPage(email, after, ask.gettext(N_("Please give the e-mail address that you are a member with.")))
        return ask.render("sign_in.html", page, status=422)
    vault, settings = ask.parts.services.vault, ask.parts.settings
    address = client_address(ask.request, settings)
    with ask.parts.db.system_transaction("a member asks for a sign-in link") as session:
        may_ask = address is None or attempts.take(session, vault, "sign-in from", address, most=MOST_ASKED, seconds=WINDOW_SECONDS)
        if may_ask and attempts.take(session, vault, "sign-in of", email.lower(), most=MOST_LINKS, seconds=WINDOW_SECONDS):
            _queue_letter(session, ask, members.find_by_email(session, email), after)
    if not may_ask:
        raise HTTPException(429, TOO_MANY)
    return ask.render("sign_in_sent.html", SentPage(email, MINUTES))


@router.get("/sign-in/{token}")
def show_link(token: str, ask: Visitor, next: str = "") -> Response:
    """The button; nothing is looked up or used up yet."""
    return ask.render("sign_in_link.html", LinkPage(local_path(next, "")))


@router.post("/sign-in/{token}")
def use_link(token: str, request: Request, ask: VisitorPost) -> Response:
    """Sign in. A link that is no longer good says so, and leads to a new one."""
    parts, fresh = ask.parts, secrets.token_urlsafe(32)
    vault = parts.services.vault
    with parts.db.system_transaction("a sign-in link is used") as session:
        redeemed = sign_in_links.redeem(session, vault, token[:100], ask.browser)
        if redeemed is not None:
            _begin(session, ask, fresh, redeemed.member_id, redeemed.staff_id)
    if redeemed is None:
        return ask.render("sign_in.html", SignInPage("", "/app", ask.gettext(NOT_GOOD)), status=403)
    is_staff = redeemed.staff_id is not None
    cookie, seconds = (cookies.STAFF, STAFF_SECONDS) if is_staff else (cookies.SESSION, MEMBER_SECONDS)
    cookies.write(request, parts.settings, cookie, fresh, seconds)
    return ask.redirect(local_path(ask.fields.get("next", ""), "/support" if is_staff else "/app"))


@router.post("/sign-out")
def sign_out(request: Request, ask: VisitorPost) -> Response:
    """End this browser's session, or with `everywhere` all of the member's."""
    parts, is_everywhere = ask.parts, ask.fields.get("everywhere") == "yes"
    signed = signed_in(request, parts, cookies.SESSION)
    with parts.db.system_transaction("a member signs out") as session:
        sessions.end(session, parts.services.vault, cookies.read(request, parts.settings, cookies.SESSION))
        if is_everywhere and signed is not None and signed.member is not None:
            member = signed.member
            sessions.end_all(session, member_id=member.member_id)
            actor = ask.actor(f"member {member.public_id}")
            audit.write(session, actor, "session.ended_everywhere", account_id=member.account_id, object=member.public_id)
    cookies.write(request, parts.settings, cookies.SESSION, "", 0)
    return ask.redirect("/sign-in", "signed-out-everywhere" if is_everywhere else "signed-out")


@router.post("/language")
def choose_language(ask: VisitorPost) -> Response:
    """Keep the reader's choice for a year. No secret, so any page of ours may read it."""
    language = ask.fields.get("language", "")
    answer = ask.redirect(local_path(ask.fields.get("next", ""), "/app"))
    if language in LANGUAGES:
        is_secure = not cookies.is_plain(ask.request, ask.parts.settings)
        answer.set_cookie(COOKIE, language, cookies.YEAR_SECONDS, secure=is_secure, httponly=True, samesite="lax")
    return answer


def begin_member(session: Session, ask: Ask, member_id: int) -> None:
    """Sign the browser in as a member who was proven otherwise: by the install of their store."""
    fresh = secrets.token_urlsafe(32)
    _begin(session, ask, fresh, member_id, None)
    cookies.write(ask.request, ask.parts.settings, cookies.SESSION, fresh, MEMBER_SECONDS)


def _begin(session: Session, ask: Ask, token: str, member_id: int | None, staff_id: int | None) -> None:
    """The old session of this browser ends, a new one begins: a token from before a sign-in is never good after it."""
    vault, settings = ask.parts.services.vault, ask.parts.settings
    cookie = cookies.STAFF if staff_id is not None else cookies.SESSION
    sessions.end(session, vault, cookies.read(ask.request, settings, cookie))
    begun = sessions.begin(session, vault, token, member_id=member_id, staff_id=staff_id, is_second_factor_done=staff_id is not None)
    look = sessions.look(session, vault, token, token)
    assert look is not None, "a session that began just now is alive"
    if look.signed.member is not None:
        who, account_id = f"member {look.signed.member.public_id}", look.signed.member.account_id
    else:
        who, account_id = f"staff {look.signed.staff.public_id if look.signed.staff else ''}", None
    audit.write(session, ask.actor(who), "session.began", account_id=account_id, object=begun)


def _queue_letter(session: Session, ask: Ask, found: list[Membership], after: str) -> None:
    """One mail with a link for each account the address is a member of."""
    if not found:
        return
    links = []
    for membership in found:
        token = secrets.token_urlsafe(24)
        sign_in_links.make(session, ask.parts.services.vault, token, ask.browser, member_id=membership.member_id)
        links.append((membership.account_name, link_url(ask.parts, token, after)))
    settings = ask.parts.settings
    letter = sign_in_letter(ask.language, links, MINUTES)
    mail = SystemMail(to=found[0].email or "", subject=letter.subject, text=letter.text, html=letter.html, sender=settings.mail_from)
    system_mails.queue(session, ask.parts.services.vault, "sign_in", mail)


def link_url(parts: Composition, token: str, after: str = "") -> str:
    """The address of a sign-in link."""
    settings = parts.settings
    query = f"?next={quote(after, safe='')}" if after not in ("", "/app") else ""
    return settings.browser_url(f"{settings.public_url.rstrip('/')}/sign-in/{token}{query}")
