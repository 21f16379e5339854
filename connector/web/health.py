"""For load balancers and supervisors: is the process alive, and can it work."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from connector.store.readiness import is_ready
from connector.web.inputs import Parts

router = APIRouter()
METHODS = ["GET", "HEAD"]


@router.api_route("/livez", methods=METHODS)
def livez(parts: Parts) -> Response:
    """200 as long as the process answers at all. The header tells which process that is: so we know ourselves from outside."""
    return PlainTextResponse("alive\n", headers={"x-connector-instance": parts.instance})


@router.api_route("/readyz", methods=METHODS)
def readyz(parts: Parts) -> Response:
    """200 if the database answers and has the newest schema, else 503."""
    if is_ready(parts.db):
        return PlainTextResponse("ready\n")
    return PlainTextResponse("the database does not answer or is not migrated\n", 503)
