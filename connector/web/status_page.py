"""The public page that tells which parts work."""

from fastapi import APIRouter
from starlette.responses import Response

from connector.web.asking import Visitor
from connector.web.status import PATH, status_page

router = APIRouter()


@router.get(PATH)
def show_status(ask: Visitor) -> Response:
    """Every part in plain words; the same for everybody, so it names no shop and no person."""
    return ask.render("status.html", status_page(ask.parts, ask.language))
