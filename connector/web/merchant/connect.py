"""Connecting a store: from Shopify's own pages, where no address is ever typed, or by the address of a WooCommerce store."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.permissions import Permission
from connector.web.auth import MemberAsk, reading
from connector.web.headers import content_policy

MOST_STORE = 300

router = APIRouter()
Owner = Annotated[MemberAsk, Depends(reading(Permission.CONNECT))]


@dataclass(frozen=True, slots=True)
class ConnectPage:
    """Both ways. `listing_url` is the app's page in Shopify's app store; empty: the app is opened in the store's own admin."""

    listing_url: str
    store: str
    account: str


@router.get("/app/connect")
def show_connect(ask: Owner, store: str = "") -> Response:
    """How a store joins this account."""
    settings = ask.parts.settings
    policy = content_policy(is_sandbox=settings.sandbox, forms_lead_away=True)
    page = ConnectPage(settings.shopify_listing_url, store[:MOST_STORE], ask.member.account_name)
    return ask.render("connect.html", page, headers={"content-security-policy": policy})
