"""How a shop's connection was found to be, as support sees it: the merchant's own page without the button."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.rules.permissions import StaffPermission
from connector.store import checkups, shops
from connector.web.auth import StaffAsk, staff_reading
from connector.web.inputs import known_id
from connector.web.merchant.connection import connection_page

router = APIRouter()
Looker = Annotated[StaffAsk, Depends(staff_reading(StaffPermission.LOOK))]


@router.get("/support/shops/{shop}/connection")
def show_connection(ask: Looker, shop: str) -> Response:
    """The last examination."""
    with ask.system("support looks at a shop's connection") as session:
        row = shops.find_shop(session, known_id(shop))
        assert row.id is not None
        kept = checkups.last_checkup(session, row.id)
    return ask.render("support_connection.html", connection_page(ask, row, kept, may_examine=False))
