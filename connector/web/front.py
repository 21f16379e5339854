"""The front door: whoever comes without an address goes to their pages."""

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

router = APIRouter()


@router.get("/")
def lead_in() -> Response:
    """To the merchants' pages; nobody signed in is led on to the sign-in from there."""
    return RedirectResponse("/app", 303)
