"""
Moving a shop into another account, with proof from both sides: the owner of the one that takes it makes a code, and the owner of the
one that gives it types that code on the shop's own page. An equal e-mail address proves nothing.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.errors import Refused
from connector.rules.permissions import Permission
from connector.store import accounts, audit, moving
from connector.store.db import app_now, wake_after_commit
from connector.web.auth import MemberAsk, acting, reading
from sync.jobs import Job

router = APIRouter(prefix="/app")
Owner = Annotated[MemberAsk, Depends(reading(Permission.CONNECT))]
OwnerActs = Annotated[MemberAsk, Depends(acting(Permission.CONNECT))]


@dataclass(frozen=True, slots=True)
class TransferPage:
    """How to bring a shop into this account; `code` is what the other owner types."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class GivePage:
    """The form that gives a shop away."""

    shop_id: str
    shop_name: str
    problem: str = ""


@router.get("/transfer")
def show_transfer(ask: Owner) -> Response:
    """Explain it."""
    return ask.render("transfer.html", TransferPage())


@router.post("/transfer")
def make_code(ask: OwnerActs) -> Response:
    """Make a code, good for an hour."""
    with ask.transaction() as session:
        code = moving.transfer_code(ask.parts.services.vault, ask.member.account_public_id, app_now(session))
        ask.audit(session, "transfer.offered")
    return ask.render("transfer.html", TransferPage(code))


@router.get("/shops/{shop}/transfer")
def show_give(shop: str, ask: Owner) -> Response:
    """Ask for the other account's code."""
    return _show(ask, shop)


@router.post("/shops/{shop}/transfer")
def give(shop: str, ask: OwnerActs) -> Response:
    """Move the shop. From then on it is there and not here."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
    assert row.id is not None
    try:
        with ask.parts.db.system_transaction("move a shop to another account") as session:
            target = moving.read_transfer_code(ask.parts.services.vault, ask.fields.get("code", "")[:1_000], app_now(session))
            account = accounts.find_account(session, target)
            assert account.id is not None
            ask.audit(session, "shop.moved_out", shop=row, object=row.public_id)
            moving.move_shop(session, row.id, account.id)
            # Whoever rang for the inbox meanwhile was turned away.
            wake_after_commit(session, Job.APPLY.value, row.id)
            audit.write(session, ask.who(), "shop.moved_in", account_id=account.id, shop_id=row.id, object=row.public_id)
    except Refused as error:
        return _show(ask, shop, ask.refusal(error))
    return ask.redirect("/app", "shop-moved")


def _show(ask: MemberAsk, public_id: str, problem: str = "") -> Response:
    with ask.transaction() as session:
        row = ask.shop(session, public_id)
    return ask.render("transfer_shop.html", GivePage(row.public_id, row.name, problem), status=422 if problem else 200)
