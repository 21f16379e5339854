"""Certificates, servers and the sandbox as a whole."""

import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from starlette.applications import Starlette

from connector.errors import ConnectorError
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.tls import make_certificates
from integrations.sandbox.web import Call, as_json, picture, route
from integrations.sandbox.world import Sandbox
from integrations.transport import Transport
from tests.integrations.sandbox_app import Clock, PlayedApp, install_shopify, played


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedApp]:
    with played(tmp_path_factory.mktemp("world"), Clock(), for_people=True) as running:
        yield running


def test_a_client_with_our_ca_trusts_the_stores_under_their_own_names(app: PlayedApp) -> None:
    for url in ("https://demo.myshopify.com/", "https://boutique.test/"):
        assert app.client.send("test", "open", "GET", url).status == 200


def test_a_client_without_our_ca_refuses_the_stores(app: PlayedApp) -> None:
    stranger = Transport(app.world.address_map)
    with pytest.raises(ConnectorError):
        stranger.send("test", "open", "GET", "https://demo.myshopify.com/")
    stranger.close()


def test_a_name_that_is_not_in_the_certificate_is_refused(app: PlayedApp) -> None:
    client = Transport({"other.test": app.world.address_map["boutique.test"]}, app.world.ca_pem)
    with pytest.raises(ConnectorError):
        client.send("test", "open", "GET", "https://other.test/")
    client.close()


def test_the_private_key_can_be_read_by_its_owner_only_and_the_ca_key_is_not_kept(tmp_path: Path) -> None:
    first = make_certificates(tmp_path, ["a.test"])
    again = make_certificates(tmp_path, ["b.test"])
    assert stat.S_IMODE(again.key_pem.stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"ca.pem", "server.pem", "server.key"}
    names = x509.load_pem_x509_certificate(first.cert_pem.read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["b.test"]
    assert [str(address) for address in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_one_app_answers_on_both_ports_and_stops_quickly(tmp_path: Path) -> None:
    files = make_certificates(tmp_path, ["a.test"])
    app = Starlette(routes=[route("/", lambda call: as_json({"scheme": call.scheme}))])
    server = LocalServer(app, tls=(files.cert_pem, files.key_pem)).start()
    client = Transport({"a.test": server.https_address}, files.ca_pem, is_closed_world=True)
    assert client.send("test", "open", "GET", "https://a.test/").body == b'{"scheme":"https"}'
    assert client.send("test", "open", "GET", server.http_origin + "/").body == b'{"scheme":"http"}'
    server.stop()
    server.stop()
    client.close()


def test_a_server_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError):
        LocalServer(Starlette(), http=False)
    plain = LocalServer(Starlette())
    with pytest.raises(ConnectorError):
        _ = plain.https_address
    plain.stop()
    files = make_certificates(tmp_path, ["a.test"])
    secure = LocalServer(Starlette(), http=False, tls=(files.cert_pem, files.key_pem))
    with pytest.raises(ConnectorError):
        _ = secure.http_origin
    secure.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_app_that_cannot_start_is_reported() -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("no start-up")

    with pytest.raises(ConnectorError):
        LocalServer(broken, lifespan=True).start()


def test_start_up_and_shut_down_of_an_app_run_when_asked_for() -> None:
    events: list[str] = []

    async def app(scope: dict[str, str], receive: object, send: object) -> None:
        while scope["type"] == "lifespan":
            message = await receive()  # type: ignore[operator]
            events.append(message["type"])
            await send({"type": message["type"] + ".complete"})  # type: ignore[operator]
            if message["type"] == "lifespan.shutdown":
                return

    with LocalServer(app, lifespan=True):
        assert events == ["lifespan.startup"]
    assert events == ["lifespan.startup", "lifespan.shutdown"]


def test_the_maps_lead_people_and_programs_to_the_same_stores(app: PlayedApp) -> None:
    browser = app.world.browser()
    assert "Harbour & Pine" in browser.open("https://demo.myshopify.com/").text
    assert "Savonnerie du Port" in browser.open("https://boutique.test").text
    assert browser.open("https://boutique.test").url.startswith("http://127.0.0.1:")
    browser.close()
    assert set(app.world.address_map) == {"demo.myshopify.com", "boutique.test"}
    assert app.world.smtp_url.startswith("smtp://127.0.0.1:")


def test_a_caught_mail_shows_the_stores_pictures_from_loopback(app: PlayedApp) -> None:
    picture_url = "https://demo.myshopify.com/cdn/shop/files/cedar-candle.png?v=1"
    html = f'<img src="{picture_url}" alt=""><a href="https://boutique.test/">Shop</a>'
    app.world.mail.keep("a@example.com", ["b@example.com"], f"Content-Type: text/html\n\n{html}".encode())
    browser = app.world.browser()
    mail = browser.click(browser.open(app.world.mailbox_url), "(no subject)")
    shown = browser.click(mail, "own page")
    assert shown.images == (app.world.browser_map["https://demo.myshopify.com"] + "/cdn/shop/files/cedar-candle.png?v=1",)
    assert browser.open(shown.images[0]).status == 200
    assert "Savonnerie" in browser.click(shown, "Shop").text
    browser.close()


def test_links_back_to_the_app_lead_people_to_its_plain_door(app: PlayedApp) -> None:
    browser = app.world.browser()
    target = app.world.shopify.install_url("https://connector.test")
    grant = browser.open(target)
    link = next(link for link in grant.links if link.text == "Install app")
    assert link.href.startswith("http://127.0.0.1:")
    browser.close()


def test_both_machines_settle_and_tell_the_next_due_instant(app: PlayedApp) -> None:
    install_shopify(app)
    assert app.world.next_due() is None
    app.statuses["/webhooks/shopify"] = 500
    app.world.shopify.start_checkout([("SALT-SOAP", 1)])
    assert app.world.settle()
    due = app.world.next_due()
    assert due is not None
    assert (due - app.world.shopify.shop.now()).total_seconds() == 10


def test_a_sandbox_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    world = Sandbox(tmp_path, Clock())
    world.stop()
    world.stop()
    assert world.next_due() is None
    assert world.mail.messages() == []


def test_the_configuration_file_decides_topics_and_addresses(tmp_path: Path) -> None:
    text = """
        application_url = "https://app.example/base/"
        name = "Our app"
        [access_scopes]
        scopes = "read_orders, read_products"
        [auth]
        redirect_urls = ["https://app.example/install/shopify/callback", "https://else.example/x?y=1"]
        [webhooks]
        api_version = "2026-10"
        [[webhooks.subscriptions]]
        topics = ["orders/paid"]
        uri = "https://app.example/webhooks/shopify?kind=order"
        [[webhooks.subscriptions]]
        topics = ["orders/create"]
        uri = "/webhooks/shopify"
        [[webhooks.subscriptions]]
        compliance_topics = ["shop/redact"]
        uri = "https://else.example/privacy"
    """
    world = Sandbox(tmp_path, Clock(), app_toml=text)
    configuration = world.shopify._app
    assert configuration.redirect_urls == ("https://connector.test/install/shopify/callback", "https://else.example/x?y=1")
    assert configuration.addresses("orders/paid") == ("https://connector.test/webhooks/shopify?kind=order",)
    assert configuration.addresses("shop/redact") == ("https://else.example/privacy",)
    assert configuration.addresses("orders/create") == ("https://connector.test/base/webhooks/shopify",)
    assert configuration.addresses("carts/create") == ()
    assert configuration.scopes == ("read_orders", "read_products")
    world.stop()


def test_pictures_are_real_pngs_and_differ_by_colour() -> None:
    assert picture(28).startswith(b"\x89PNG\r\n\x1a\n")
    assert picture(28).endswith(b"IEND\xaeB`\x82")
    assert picture(28) != picture(195)


def test_a_body_that_is_no_form_counts_as_empty() -> None:
    def call(content_type: str, body: bytes) -> Call:
        return Call("POST", "http", "/", {}, {}, {"content-type": content_type}, body)

    assert call("application/json", b"{broken").fields() == {}
    assert call("application/json", b"[1]").fields() == {}
    assert call("application/json", b'{"a": 1, "b": "c"}').fields() == {"a": "1", "b": "c"}
    assert call("application/x-www-form-urlencoded", b"a=1&b=").fields() == {"a": "1", "b": ""}


def test_no_thread_and_no_port_of_the_sandbox_survives_its_end(tmp_path: Path) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with Sandbox(tmp_path, Clock()) as world:
        port = world.mail.port
    assert {thread.name for thread in threading.enumerate()} <= before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1)


def test_the_certificate_serves_python_tls_clients(app: PlayedApp) -> None:
    host, _, port = app.world.address_map["boutique.test"].partition(":")
    context = ssl.create_default_context(cafile=str(app.world.ca_pem))
    with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain, server_hostname="boutique.test") as secure:
        assert secure.version() in {"TLSv1.2", "TLSv1.3"}
