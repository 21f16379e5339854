"""Where a link in a message may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.web.shopper.targets import LONGEST_CARRIED, carried_on, safe_target

HOSTS = ("demo.myshopify.com", "www.brume.example", "galets.example:8443")
FRONT = "https://www.brume.example"


@pytest.mark.parametrize(
    "url",
    [
        "https://demo.myshopify.com/1/checkouts/ac/tok/recover?key=a&locale=fr",
        "https://www.brume.example/checkouts/cn/1?x=https://evil.example",
        "https://WWW.Brume.Example/x",
        "https://www.brume.example:443/x",
        "https://galets.example:8443/checkout/order-pay/12/?key=wc_order_1",
    ],
)
def test_a_link_to_the_shops_own_host_is_followed_as_it_is(url: str) -> None:
    assert safe_target(url, HOSTS, FRONT) == url


@pytest.mark.spec("SEC-199")
@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "/checkout",
        "https://",
        "http://www.brume.example/x",
        "javascript:alert(1)",
        "data:text/html,x",
        "//www.brume.example/x",
        "https://evil.example/",
        "https://brume.example/",
        "https://www.brume.example.evil.example/",
        "https://evil.example/www.brume.example",
        "https://www.brume.example@evil.example/",
        "https://user@www.brume.example/",
        "https://evil.example\\@www.brume.example/",
        "https://www.brume.example\\.evil.example/",
        "https://www.brume.example:8443/",
        "https://www.brume.example:nonsense/",
        "https://www.brume.example:99999/",
        "https://galets.example/",
        "https://www.brume.example\n.evil.example/",
        " https://www.brume.example/",
        "https://[::1",
        "https://www.brume.example%2eevil.example/",
    ],
)
def test_everything_else_leads_to_the_shops_front_page(url: str | None) -> None:
    assert safe_target(url, HOSTS, FRONT) == FRONT


@pytest.mark.parametrize("front", ["", "http://www.brume.example", "javascript:alert(1)", "https://a@b.example", "https://"])
def test_a_shop_without_a_usable_address_has_no_target(front: str) -> None:
    assert safe_target("https://evil.example/", HOSTS, front) is None


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_text_leads_anywhere_but_to_the_shop(middle: str, host: str) -> None:
    for url in (f"https://{middle}", f"https://{middle}.evil.example/{host}", f"https://evil.example{middle}", middle):
        assert safe_target(url, (host, "www.brume.example"), FRONT) in (FRONT, url)
        if safe_target(url, ("www.brume.example",), FRONT) == url:
            assert url.lower().startswith(("https://www.brume.example/", "https://www.brume.example?", "https://www.brume.example#")) or (
                url.lower().split("/")[2].split("?")[0].split("#")[0]
                in ("www.brume.example", "www.brume.example:443", "www.brume.example:")
            )


BACK = "https://demo.myshopify.com/1/checkouts/ac/c1-tok/recover?key=a%2Fb+c&locale=fr"


@pytest.mark.parametrize(
    ("target", "pairs", "expected"),
    [
        (BACK, [], BACK),
        (BACK, [("discount", "THANKS 10%"), ("utm_source", "connector")], f"{BACK}&discount=THANKS+10%25&utm_source=connector"),
        (BACK, [("key", "evil"), ("u", "https://evil.example"), ("return_to", "/x")], BACK),
        (BACK, [("discount", "A"), ("discount", "B")], f"{BACK}&discount=A"),
        (BACK, [("discount", ""), ("utm_term", "x" * (LONGEST_CARRIED + 1))], BACK),
        (f"{BACK}&discount=OURS", [("discount", "THEIRS"), ("utm_id", "7")], f"{BACK}&discount=OURS&utm_id=7"),
        ("https://demo.myshopify.com", [("discount", "A")], "https://demo.myshopify.com?discount=A"),
        ("https://demo.myshopify.com/r#top", [("utm_medium", "a&b#c")], "https://demo.myshopify.com/r?utm_medium=a%26b%23c#top"),
    ],
)
def test_a_code_and_campaign_names_go_along_and_nothing_else(target: str, pairs: list[tuple[str, str]], expected: str) -> None:
    assert carried_on(target, pairs) == expected


def test_a_developer_s_store_on_this_machine_is_led_to_as_it_is() -> None:
    link, hosts = "http://127.0.0.1:8081/?connector_cart=1", ("127.0.0.1:8081",)
    assert safe_target(link, hosts, "http://127.0.0.1:8081/") == link
    assert safe_target(link, hosts, "http://galets.example/") is None
    assert safe_target(link, hosts, "https://galets.example/") == "https://galets.example/"


def test_the_usual_port_of_one_scheme_is_not_that_of_the_other() -> None:
    assert safe_target("https://galets.example:80/", ("galets.example",), "https://other.example/") == "https://other.example/"
    assert safe_target("https://galets.example:443/", ("galets.example",), "https://other.example/") == "https://galets.example:443/"
