"""What views take from a request: the process's parts, limited bodies, forms, and names that are well formed."""

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from connector.errors import NotFound
from connector.web.composition import Composition
from connector.web.language import N_

MAX_BODY = 65_536
MAX_FIELDS = 50
MAX_UPLOAD = 4 * 1024 * 1024
"""Of one file; the fields around it may take as much as those of any other form."""
FORM_TYPE = "application/x-www-form-urlencoded"
UPLOAD_TYPE = "multipart/form-data"
NO_FORM = N_("Please send the form of this page.")
TOO_MUCH = N_("That is more than this page takes.")

_PUBLIC_ID = re.compile(r"[a-z]{3}_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def composition(request: Request) -> Composition:
    """The parts of this process."""
    parts: Composition = request.app.state.composition
    return parts


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted form: the last field of each name, and the files of its upload fields that hold something."""

    fields: Mapping[str, str]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


async def limited_body(request: Request) -> bytes:
    """The raw body, up to 64 KiB. Raises HTTPException 413 as soon as there is more."""
    return await _body(request, MAX_BODY)


async def form_fields(request: Request) -> Mapping[str, str]:
    """
    The fields of a posted form, the last one of each name.

    Only what a plain HTML form sends is taken, so that scripts of other pages cannot post here as something else.
    """
    if _content_type(request) != FORM_TYPE:
        raise HTTPException(415, NO_FORM)
    return _checked(_plain_fields(await limited_body(request)))


async def posted_form(request: Request, *, takes_files: bool) -> Posted:
    """
    As `form_fields`, of a form that may bring one file. `takes_files`: whether whoever asks may send so much at all.

    Raises HTTPException as `form_fields`.
    """
    if _content_type(request) != UPLOAD_TYPE:
        return Posted(await form_fields(request))
    body = await _body(request, MAX_BODY + (MAX_UPLOAD if takes_files else 0))
    parser = MultiPartParser(request.headers, _once(body), max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_BODY)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError) as error:
        raise HTTPException(415, NO_FORM) from error
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            fields[name] = value
        elif content := await value.read():
            files[name] = content
    await form.close()
    return Posted(_checked(fields), files)


def known_id(public_id: str) -> str:
    """`public_id` if it has the form of one. Raises NotFound, so that odd texts never reach the database."""
    if not _PUBLIC_ID.fullmatch(public_id):
        raise NotFound("There is no such page.")
    return public_id


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _body(request: Request, most: int) -> bytes:
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > most:
            raise HTTPException(413, TOO_MUCH)
    return bytes(parts)


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


def _plain_fields(body: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise HTTPException(400, N_("The form cannot be read.")) from error


def _checked(fields: Mapping[str, str]) -> Mapping[str, str]:
    if any("\x00" in value for value in fields.values()):
        raise HTTPException(400, N_("The form holds a sign that no text has."))
    return fields


Parts = Annotated[Composition, Depends(composition)]
Body = Annotated[bytes, Depends(limited_body)]
Fields = Annotated[Mapping[str, str], Depends(form_fields)]
