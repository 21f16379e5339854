"""What views take from a request: the process's parts, limited bodies, forms, and names that are well formed."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request

from connector.errors import NotFound
from connector.web.composition import Composition
from connector.web.language import N_

MAX_BODY = 65_536
MAX_FIELDS = 50
FORM_TYPE = "application/x-www-form-urlencoded"

_PUBLIC_ID = re.compile(r"[a-z]{3}_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def composition(request: Request) -> Composition:
    """The parts of this process."""
    parts: Composition = request.app.state.composition
    return parts


async def limited_body(request: Request) -> bytes:
    """The raw body, up to 64 KiB. Raises HTTPException 413 as soon as there is more."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY:
            raise HTTPException(413, N_("That is more than this page takes."))
    return bytes(parts)


async def form_fields(request: Request) -> Mapping[str, str]:
    """
    The fields of a posted form, the last one of each name.

    Only what a plain HTML form sends is taken, so that scripts of other pages cannot post here as something else.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise HTTPException(415, N_("Please send the form of this page."))
    body = await limited_body(request)
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise HTTPException(400, N_("The form cannot be read.")) from error
    if any("\x00" in value for value in fields.values()):
        raise HTTPException(400, N_("The form holds a sign that no text has."))
    return fields


def known_id(public_id: str) -> str:
    """`public_id` if it has the form of one. Raises NotFound, so that odd texts never reach the database."""
    if not _PUBLIC_ID.fullmatch(public_id):
        raise NotFound("There is no such page.")
    return public_id


Parts = Annotated[Composition, Depends(composition)]
Body = Annotated[bytes, Depends(limited_body)]
Fields = Annotated[Mapping[str, str], Depends(form_fields)]
