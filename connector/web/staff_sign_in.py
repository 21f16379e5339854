"""
Staff sign in with a password and, from the first time on, the code of an authenticator app.

Whether a name is known is never said and cannot be timed: an unknown one costs a password check as well. Twenty wrong tries within a
quarter of an hour, of one name or from one address, and nothing is checked any more until it is over.
"""

import secrets
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import quote

import qrcode
from fastapi import APIRouter, HTTPException, Request
from qrcode.image.svg import SvgPathImage
from starlette.responses import Response

from connector.store import attempts, sessions, staff
from connector.store.access_tables import StaffRow
from connector.store.audit import write
from connector.store.db import Session, app_now
from connector.store.passwords import is_password, spare_hash
from connector.store.sealed import Vault
from connector.store.sessions import Signed
from connector.web import cookies
from connector.web.asking import Ask, Visitor, VisitorPost, local_path
from connector.web.auth import STAFF_SECONDS, signed_in
from connector.web.client import client_address
from connector.web.language import N_
from connector.web.pages import Elsewhere

MOST_TRIES = 20
MOST_CODES = 10
WINDOW_SECONDS = 900
TOO_MANY = N_("That was tried too often. Please wait a quarter of an hour.")
WRONG = N_("The address or the password is wrong.")
WRONG_CODE = N_("This code is wrong or was used already. Please wait for the next one.")

router = APIRouter(prefix="/support")


@dataclass(frozen=True, slots=True)
class StaffSignInPage:
    """The form for address and password."""

    email: str
    after: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SecondFactorPage:
    """The form for the code. With a `secret` the app is set up first; `uri` is what its QR code says."""

    after: str
    secret: str = ""
    uri: str = ""
    problem: str = ""


@router.get("/sign-in")
def show_sign_in(ask: Visitor, next: str = "") -> Response:
    """Ask for address and password."""
    return ask.render("staff_sign_in.html", StaffSignInPage("", local_path(next, "/support")))


@router.post("/sign-in")
def sign_in(request: Request, ask: VisitorPost) -> Response:
    """The first factor. What follows is always the second."""
    email, after = ask.fields.get("email", "").strip()[:320], local_path(ask.fields.get("next", ""), "/support")
    vault, address = ask.parts.services.vault, client_address(request, ask.parts.settings)
    with ask.parts.db.system_transaction("one of the staff signs in") as session:
        # Both are counted, whatever the first one comes to.
        by_address = address is None or attempts.take(session, vault, "staff from", address, most=MOST_TRIES, seconds=WINDOW_SECONDS)
        by_name = attempts.take(session, vault, "staff", email.lower(), most=MOST_TRIES, seconds=WINDOW_SECONDS)
        row = staff.find_by_email(session, email)
    if not (by_address and by_name):
        raise HTTPException(429, ask.gettext(TOO_MANY))
    is_known = row is not None and row.disabled_at is None
    # The check takes its time without a connection of the pool, and just as long for a name that nobody has.
    is_right = is_password(ask.fields.get("password", "")[:1000], row.password_hash if row is not None and is_known else spare_hash())
    if row is None or not is_known or not is_right:
        return ask.render("staff_sign_in.html", StaffSignInPage(email, after, ask.gettext(WRONG)), status=403)
    assert row.id is not None
    fresh = secrets.token_urlsafe(32)
    with ask.parts.db.system_transaction("one of the staff has signed in") as session:
        attempts.forget(session, vault, "staff", email.lower())
        if address is not None:  # colleagues in one office share it
            attempts.give_back(session, vault, "staff from", address)
        sessions.end(session, vault, cookies.read(request, ask.parts.settings, cookies.STAFF))
        sessions.begin(session, vault, fresh, staff_id=row.id)
    cookies.write(request, ask.parts.settings, cookies.STAFF, fresh, STAFF_SECONDS)
    return ask.redirect(f"/support/second-factor?next={quote(after, safe='')}")


@router.get("/second-factor")
def show_second_factor(request: Request, ask: Visitor, next: str = "") -> Response:
    """Ask for the code; the first time, show what the authenticator app needs."""
    return _show(ask, _pending(request, ask), local_path(next, "/support"), "")


@router.get("/second-factor/qr.svg")
def show_qr(request: Request, ask: Visitor) -> Response:
    """The picture that an authenticator app reads, as long as none is set up."""
    pending = _pending(request, ask)
    with ask.parts.db.system_transaction("set up a second factor") as session:
        row = _row(session, pending)
        secret = None if row.totp_confirmed_at is not None else staff.open_totp(ask.parts.services.vault, row)
    if secret is None:
        raise HTTPException(404)
    made = BytesIO()
    qrcode.make(staff.totp_uri(row, secret), image_factory=SvgPathImage, box_size=12).save(made)
    return Response(made.getvalue(), media_type="image/svg+xml")


@router.post("/second-factor")
def check_second_factor(request: Request, ask: VisitorPost) -> Response:
    """The second factor. Right, it is a new session: the token from before it is good for nothing."""
    pending, after = _pending(request, ask), local_path(ask.fields.get("next", ""), "/support")
    vault, fresh = ask.parts.services.vault, secrets.token_urlsafe(32)
    with ask.parts.db.system_transaction("one of the staff shows a second factor") as session:
        row = _row(session, pending)
        may_try = attempts.take(session, vault, "second factor", row.public_id, most=MOST_CODES, seconds=WINDOW_SECONDS)
        is_right = may_try and staff.check_totp(session, vault, row, ask.fields.get("code", "")[:20], app_now(session))
        if is_right:
            attempts.forget(session, vault, "second factor", row.public_id)
            sessions.end(session, vault, cookies.read(request, ask.parts.settings, cookies.STAFF))
            name = sessions.begin(session, vault, fresh, staff_id=row.id, is_second_factor_done=True)
            write(session, ask.actor(f"staff {row.public_id}"), "session.began", object=name)
    if not may_try:
        raise HTTPException(429, ask.gettext(TOO_MANY))
    if not is_right:
        return _show(ask, pending, after, ask.gettext(WRONG_CODE))
    cookies.write(request, ask.parts.settings, cookies.STAFF, fresh, STAFF_SECONDS)
    return ask.redirect(after)


@router.post("/sign-out")
def sign_out(request: Request, ask: VisitorPost) -> Response:
    """End this browser's staff session."""
    with ask.parts.db.system_transaction("one of the staff signs out") as session:
        sessions.end(session, ask.parts.services.vault, cookies.read(request, ask.parts.settings, cookies.STAFF))
    cookies.write(request, ask.parts.settings, cookies.STAFF, "", 0)
    return ask.redirect("/support/sign-in", "signed-out")


def _pending(request: Request, ask: Ask) -> Signed:
    """Who has shown the password. Raises Elsewhere for nobody."""
    signed = signed_in(request, ask.parts, cookies.STAFF)
    if signed is None or signed.staff is None:
        raise Elsewhere("/support/sign-in")
    return signed


def _row(session: Session, pending: Signed) -> StaffRow:
    assert pending.staff is not None
    return staff.get_staff(session, pending.staff.staff_id)


def _show(ask: Ask, pending: Signed, after: str, problem: str) -> Response:
    """The form. Whoever has no app yet gets a secret, the same until its first code was right."""
    with ask.parts.db.system_transaction("ask for a second factor") as session:
        row = _row(session, pending)
        secret = "" if row.totp_confirmed_at is not None else _secret(session, ask.parts.services.vault, row)
        uri = staff.totp_uri(row, secret) if secret else ""
    spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return ask.render("staff_second_factor.html", SecondFactorPage(after, spaced, uri, problem), status=403 if problem else 200)


def _secret(session: Session, vault: Vault, row: StaffRow) -> str:
    """The secret that waits for its first code; a new one if there is none."""
    secret = staff.open_totp(vault, row)
    if secret is None:
        secret = staff.new_totp_secret()
        staff.set_totp(session, vault, row, secret)
    return secret
