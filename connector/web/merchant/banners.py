"""
Pictures that merchants upload, made anew: what is kept are pixels of ours, never the file that somebody sent.

A file is read as one of four kinds, whatever it calls itself; its size is looked at before any pixel is unpacked. What is kept has
the banner's shape (the part from the middle), is no larger than sharp screens need, and carries no words, places or colour profiles.
"""

import io
import struct
import zlib
from dataclasses import dataclass

from PIL import Image, ImageOps

from connector.errors import Refused
from connector.rules.offers import BANNER_HEIGHT, BANNER_WIDTH, visible_part
from connector.web.language import N_

MOST_BYTES = 4 * 1024 * 1024
MOST_PIXELS = 12_000_000
KINDS = ("PNG", "JPEG", "WEBP", "GIF")
SHARPNESS = 2
"""Up to twice the banner's width is kept, for screens with fine points."""
SMALL_PNG = 400_000
"""Drawings are kept exactly while they take no more than this; photographs become JPEG."""

NO_PICTURE = N_("This is not a picture that we can read. A PNG, JPEG, WebP or GIF file works.")
TOO_HEAVY = N_("The picture is too large: up to {most} megabytes.")
TOO_MANY_PIXELS = N_("The picture has too many pixels: up to {most} million.")

BROKEN = (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError)
"""What Pillow raises for files that are cut, torn or made to harm differs by kind."""

# We refuse far less than Pillow would warn of, and before anything is unpacked.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as we made it anew. `width` and `height`: of the file as it came, so that one can tell what was cut."""

    content: bytes
    content_type: str
    width: int
    height: int


def remake(content: bytes) -> Picture:
    """Unpack an uploaded file and write its visible part anew. Raises Refused with what is wrong with it."""
    if len(content) > MOST_BYTES:
        raise Refused(TOO_HEAVY, most=MOST_BYTES // 1024 // 1024)
    try:
        with Image.open(io.BytesIO(content), formats=KINDS) as opened:
            return _made(opened)
    except (*BROKEN, struct.error, zlib.error) as error:
        raise Refused(NO_PICTURE) from error


def _made(opened: Image.Image) -> Picture:
    if opened.width * opened.height > MOST_PIXELS:
        raise Refused(TOO_MANY_PIXELS, most=MOST_PIXELS // 1_000_000)
    is_photograph = opened.format == "JPEG"
    # Cameras turn pictures by a note in the file, which is not kept.
    turned = ImageOps.exif_transpose(opened)
    has_gaps = turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info
    pixels = turned.convert("RGBA" if has_gaps else "RGB")
    left, top, width, height = visible_part(pixels.width, pixels.height)
    seen = pixels.crop((left, top, left + width, top + height))
    if width > SHARPNESS * BANNER_WIDTH:
        seen = seen.resize((SHARPNESS * BANNER_WIDTH, SHARPNESS * BANNER_HEIGHT), Image.Resampling.LANCZOS)
    kept, content_type = _written(seen, has_gaps=has_gaps, is_photograph=is_photograph)
    return Picture(kept, content_type, pixels.width, pixels.height)


def _written(seen: Image.Image, *, has_gaps: bool, is_photograph: bool) -> tuple[bytes, str]:
    # A new picture: nothing that the old one noted beside its pixels goes along.
    clean = Image.new(seen.mode, seen.size)
    clean.paste(seen)
    if not is_photograph:
        drawn = io.BytesIO()
        clean.save(drawn, "PNG", optimize=True)
        if drawn.tell() <= SMALL_PNG:
            return drawn.getvalue(), "image/png"
    if has_gaps:
        ground = Image.new("RGB", clean.size, "white")
        ground.paste(clean, mask=clean.getchannel("A"))
        clean = ground
    photograph = io.BytesIO()
    clean.save(photograph, "JPEG", quality=88, subsampling=0, optimize=True)
    return photograph.getvalue(), "image/jpeg"
