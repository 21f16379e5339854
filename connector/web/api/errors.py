"""Errors of the API are JSON like all else of it: `{"error": {"code", "message"}}`."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from connector.errors import NotFound

NOTHING = "There is nothing here, or not for this key."
BROKEN = "The fault is ours and was noted. Please try again in a moment."

log = structlog.get_logger()


class ApiError(Exception):
    """An answer that is no data. `code` is for programs and never changes, `message` for people."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class ApiRoute(APIRoute):
    """A route whose every error is answered as JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI's, with our errors."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except ApiError as error:
                return _json(error)
            except NotFound:
                # Nothing of the error's own words: they may name what somebody else has.
                return _json(ApiError(404, "not_found", NOTHING))
            except RequestValidationError as error:
                names = ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()}))
                return _json(ApiError(400, "bad_request", f"These parameters cannot be read: {names}."))
            except Exception as error:
                log.error("api.broken", error=type(error).__name__)
                return _json(ApiError(500, "broken", BROKEN))

        return answer


def _json(error: ApiError) -> JSONResponse:
    content = {"error": {"code": error.code, "message": str(error)}}
    return JSONResponse(content, error.status, dict(error.headers or {}))
