"""What shoppers and stores may write, in a real browser on support's pages: it is text there, and nothing of it runs."""

import json

import pytest

from connector.canonical import Phone
from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import HOSTILE, assert_look, faults_of
from tests.browser.test_support_pages import deliver, say_why
from tests.conftest import TestShop
from tests.factories import make_line
from tests.web.conftest import Seed, run, shop_public_id


@pytest.mark.spec("SEC-190")
@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_was_written_runs(text: str, parts: Composition, shopify_shop: TestShop, seed: Seed, staff_page: Opens) -> None:
    checkout = seed(
        shopify_shop,
        number=text,
        first_name=text,
        company=text,
        checkout_phone=Phone(text),
        discount_codes=(text,),
        shipping_method=text,
        lines=(make_line(title=text, variant_title=text, image_url=f"https://cdn.example/{text}"),),
        recovery_url=text,
    )
    number = deliver(parts, shopify_shop)
    body = json.dumps({"note": text, text: 1}).encode()
    change = "headers = cast(:text as text), body = :body where delivery_id = :id"
    run(parts, f"update delivery_bodies set {change}", text=f"user-agent: {text}", body=body, id=number)
    run(parts, "update deliveries set topic = cast(:text as text), reason = cast(:text as text)", text=text)
    run(parts, "update accounts set name = :text", text=text)
    run(parts, "update shops set name = :text", text=text)
    shop = f"/support/shops/{shop_public_id(parts, shopify_shop)}"
    page = staff_page("admin")
    page.goto(f"{shop}/reason?next={shop}/deliveries/{number}")
    say_why(page)
    assert page.locator("pre").last.inner_text().count(text.replace('"', '\\"')) == 2
    for name, path in (
        ("delivery", f"{shop}/deliveries/{number}"),
        ("deliveries", f"{shop}/deliveries"),
        ("shop", shop),
        ("checkout", f"/support/checkouts/{checkout}"),
        ("search", "/support?q=demo"),
        ("audit", "/support/audit"),
    ):
        page.goto(path)
        page.wait_for_load_state("load")
        assert text in page.locator("main").inner_text(), name
        assert page.locator("main script, main svg[onload], main img[onerror], main [href^='javascript:']").count() == 0, name
        assert faults_of(page) == [], name
    assert_look(page, "support-hostile")
