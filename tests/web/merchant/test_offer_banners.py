"""Pictures of offers: what is taken, what is kept of it, and what is said of its shape."""

import io
import re
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from connector.errors import Refused
from connector.store import attempts, banners
from connector.web.composition import Composition
from connector.web.merchant.banners import MOST_BYTES, remake
from connector.web.merchant.offer_saving import MOST_PICTURES, PICTURE, PICTURE_SECONDS
from tests.conftest import TestShop
from tests.web.conftest import run, scalar
from tests.web.merchant.conftest import plain
from tests.web.merchant.offer_kit import OfferWriter, name_of, picture


def opened(content: bytes) -> Image.Image:
    """What was kept, as a picture."""
    return Image.open(io.BytesIO(content))


def a_png_that_claims(width: int, height: int) -> bytes:
    """A few bytes that unpack into a picture of that size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(b"\0" * 100_000, 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.spec("SH-14")
def test_a_banner_of_the_right_size_is_kept_whole_and_any_other_is_cut_with_a_warning(writer: OfferWriter, parts: Composition) -> None:
    name = name_of(writer.new(files={"picture": picture(933, 480)}))
    form = writer.page(name, "/edit")
    assert "The picture is cut." not in form
    (shown,) = re.findall(r'<img class="banner-shown" src="/banners/(bnr_[^"]+)"', form)
    answer = writer.client.get(f"/banners/{shown}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert opened(answer.content).size == (933, 480)
    assert name_of(writer.edit(name, files={"picture": picture(1200, 1200)}, banner=shown)) == name
    page = plain(writer.page(name, "/edit"))
    assert "The picture is cut. Your picture is 1200 × 1200. It is cut to 1200 × 617 from its middle, as you see it here." in page
    assert "A picture of 933 × 480 is not cut." in page
    (cut,) = re.findall(r'<img class="banner-shown" src="/banners/(bnr_[^"]+)"', writer.page(name))
    assert opened(writer.client.get(f"/banners/{cut}").content).size == (1200, 617), "the preview is what shoppers see"
    assert f"/banners/{cut}" in writer.page(name, "/preview/mail")
    assert f"/banners/{cut}" in writer.page(name, "/preview/page")


@pytest.mark.parametrize(("kind", "kept"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/png"), ("GIF", "image/png")])
def test_four_kinds_are_read_and_made_anew(kind: str, kept: str) -> None:
    _, content, _ = picture(933, 480, kind)
    made = remake(content)
    assert made.content_type == kept
    assert made.content != content
    left, right = opened(made.content).convert("RGB").getpixel((100, 240)), opened(made.content).convert("RGB").getpixel((800, 240))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 200 > 100 > right[0], "orange left, navy right"


def test_only_pixels_are_kept() -> None:
    made = Image.new("RGB", (933, 480), "navy")
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 24.0)}
    file = io.BytesIO()
    made.save(file, "JPEG", exif=exif, comment=b"a secret", icc_profile=b"p" * 200)
    assert b"taken at home" in file.getvalue()
    kept = remake(file.getvalue())
    for word in (b"taken at home", b"a secret", b"Exif", b"ICC_PROFILE"):
        assert word not in kept.content
    file = io.BytesIO()
    made.save(file, "PNG", pnginfo=None, icc_profile=b"p" * 200)
    assert set(opened(remake(file.getvalue()).content).info) == set()


def test_a_picture_that_a_camera_noted_as_turned_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (480, 933), "navy").save(file, "JPEG", exif=exif)
    made = remake(file.getvalue())
    assert (made.width, made.height) == (933, 480)
    assert opened(made.content).size == (933, 480)


def test_large_pictures_are_made_smaller_and_heavy_drawings_become_photographs() -> None:
    _, content, _ = picture(4000, 2500)
    assert opened(remake(content).content).size == (1866, 960)
    noise = Image.effect_noise((1000, 600), 90).convert("RGBA")
    noise.putalpha(128)
    file = io.BytesIO()
    noise.save(file, "PNG")
    made = remake(file.getvalue())
    assert made.content_type == "image/jpeg"
    assert len(made.content) < 700_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        picture(933, 480)[1][:900],
        picture(933, 480, "JPEG")[1][:900],
        picture(933, 480, "BMP")[1],
        picture(933, 480, "TIFF")[1],
    ],
)
def test_what_is_no_picture_of_ours_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="not a picture that we can read"):
        remake(content)


@pytest.mark.parametrize(("width", "height"), [(4001, 3000), (50_000, 50_000), (2_000_000_000, 2)])
def test_what_unpacks_into_too_much_is_refused_before_it_is_unpacked(width: int, height: int) -> None:
    with pytest.raises(Refused, match=r"too many pixels|not a picture"):
        remake(a_png_that_claims(width, height))


def test_what_is_too_heavy_is_refused() -> None:
    with pytest.raises(Refused, match="up to 4 megabytes"):
        remake(b"\0" * (MOST_BYTES + 1))


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]), st.lists(st.tuples(st.integers(0, 2_000), st.binary(max_size=6)), max_size=8))
@settings(max_examples=80, deadline=None)
def test_torn_files_are_refused_or_made_anew_and_nothing_else(kind: str, changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(picture(60, 40, kind)[1])
    for place, put in changes:
        at = place % len(content)
        content[at : at + len(put)] = put
    try:
        made = remake(bytes(content))
    except Refused:
        return
    assert opened(made.content).format in ("PNG", "JPEG")


def test_a_refused_picture_leaves_what_was_typed(writer: OfferWriter, parts: Composition) -> None:
    answer = writer.new(files={"picture": ("x.png", b"no picture", "image/png")}, headline="Gardé")
    assert answer.status_code == 422
    assert "This is not a picture that we can read." in answer.text
    assert 'value="Gardé"' in answer.text
    assert scalar(parts, "select count(*) from banners") == 0


def test_a_picture_outlives_a_refused_form_and_can_be_taken_away(writer: OfferWriter) -> None:
    answer = writer.new(files={"picture": picture(933, 480)}, value="nonsense")
    assert answer.status_code == 422
    (banner,) = re.findall(r'name="banner" value="(bnr_[^"]+)"', answer.text)
    name = name_of(writer.new(banner=banner))
    assert f"/banners/{banner}" in writer.page(name)
    writer.edit(name, banner=banner, remove_banner="on")
    assert "/banners/" not in writer.page(name)


def test_a_form_with_a_picture_may_be_larger_than_others_up_to_its_own_limit(writer: OfferWriter, parts: Composition) -> None:
    noise = io.BytesIO()
    Image.effect_noise((1866, 1500), 60).save(noise, "PNG")
    assert 1_500_000 < len(noise.getvalue()) < MOST_BYTES
    assert writer.new(files={"picture": ("big.png", noise.getvalue(), "image/png")}).status_code == 303
    for size in (MOST_BYTES + 80_000, MOST_BYTES + 2_000_000):
        assert writer.new(code="OTHER", files={"picture": ("big.png", b"\0" * size, "image/png")}).status_code == 413
    assert scalar(parts, "select count(*) from banners") == 1


def test_who_is_not_signed_in_may_send_no_more_than_anywhere(writer: OfferWriter, parts: Composition) -> None:
    writer.client.cookies.clear()
    answer = writer.new(files={"picture": ("big.png", b"\0" * 200_000, "image/png")})
    assert answer.status_code == 413


def test_more_than_one_file_is_no_form_of_ours(writer: OfferWriter) -> None:
    two: Any = [("picture", picture(10, 10)), ("other", picture(10, 10))]
    assert writer.new(files=two).status_code == 415


def test_pictures_are_counted(writer: OfferWriter, parts: Composition, me: str) -> None:
    assert writer.new(files={"picture": picture(93, 48)}).status_code == 303
    with parts.db.system_transaction("a busy hour for a test") as session:
        for _ in range(MOST_PICTURES - 1):
            assert attempts.take(session, parts.services.vault, PICTURE, me, most=MOST_PICTURES, seconds=PICTURE_SECONDS)
    assert "You have sent 60 pictures within an hour." in writer.new(files={"picture": picture(93, 48)}, code="OTHER").text


def test_uploads_that_no_offer_shows_go_away_after_a_day(writer: OfferWriter, parts: Composition, shopify_shop: TestShop) -> None:
    name_of(writer.new(files={"picture": picture(93, 48)}))
    writer.new(files={"picture": picture(93, 48)}, value="nonsense")
    run(parts, "update banners set created_at = created_at - interval '25 hours'")
    with parts.db.transaction(shop=shopify_shop.id) as session:
        banners.save_banner(session, shopify_shop.id, content=b"x", content_type="image/png", width=1, height=1)
    assert scalar(parts, "select array_agg(id order by id) from banners") == [1, 3]


def test_anothers_picture_cannot_be_shown(writer: OfferWriter, parts: Composition, woo_shop: TestShop) -> None:
    with parts.db.transaction(shop=woo_shop.id) as session:
        row = banners.save_banner(session, woo_shop.id, content=b"x", content_type="image/png", width=1, height=1)
        name = row.public_id
    assert writer.new(banner=name).status_code == 404
    assert scalar(parts, "select count(*) from offers") == 0
