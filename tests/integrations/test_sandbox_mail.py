"""The mail catcher and its pages, and what a shopper does with a mail."""

import smtplib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response

from connector.errors import ConnectorError, NotFound
from connector.messages.envelope import Handover
from integrations.mail.smtp import SmtpSender
from integrations.sandbox.mail_catcher import MailCatcher
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.shopper import Browser, mail_links, read_page
from integrations.sandbox.web import Call, route
from tests.integrations.mail_servers import ENVELOPE
from tests.integrations.sandbox_app import START, Clock


@pytest.fixture(scope="module")
def catcher() -> Iterator[MailCatcher]:
    mail = MailCatcher(Clock(), lambda html: html.replace("https://demo.myshopify.com", "http://127.0.0.1:1"))
    mail.start()
    yield mail
    mail.stop()
    mail.stop()


@pytest.fixture
def mail(catcher: MailCatcher) -> MailCatcher:
    catcher.clear()
    return catcher


@pytest.fixture(scope="module")
def mailbox(catcher: MailCatcher) -> Iterator[str]:
    with LocalServer(catcher.app) as server:
        yield server.http_origin


@pytest.fixture
def browser() -> Iterator[Browser]:
    running = Browser()
    yield running
    running.close()


def compose(subject: str = "Votre panier vous attend", html: str | None = "<p>Bonjour</p>", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "Boutique <boutique@example.com>", "zoé@example.com"
    if subject:
        message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Bonjour, votre panier.\n")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def deliver(mail: MailCatcher, message: EmailMessage, to: str = "zoe@example.com") -> None:
    with smtplib.SMTP("127.0.0.1", mail.port) as client:
        client.send_message(message, "bounces@example.com", [to], mail_options=["SMTPUTF8"])


def test_a_message_is_kept_with_envelope_content_and_virtual_time(mail: MailCatcher) -> None:
    deliver(mail, compose())
    kept = mail.wait_for(1)[0]
    assert (kept.number, kept.sender, kept.recipients) == (1, "bounces@example.com", ("zoe@example.com",))
    assert kept.subject == "Votre panier vous attend"
    assert kept.html == "<p>Bonjour</p>\n"
    assert kept.text == "Bonjour, votre panier.\n"
    assert kept.arrived_at == START
    assert kept.raw.startswith(b"From: Boutique")


def test_messages_can_be_asked_for_by_recipient(mail: MailCatcher) -> None:
    deliver(mail, compose(), "a@example.com")
    deliver(mail, compose(), "b@example.com")
    assert [one.number for one in mail.wait_for(1, to="b@example.com")] == [2]
    assert mail.wait_for(3, timeout=0.01) == mail.messages()


def test_a_message_without_subject_or_html_is_kept(mail: MailCatcher) -> None:
    deliver(mail, compose(subject="", html=None))
    assert (mail.messages()[0].subject, mail.messages()[0].html) == ("", "")


def test_refusals_name_the_code_and_keep_nothing(mail: MailCatcher) -> None:
    mail.refuse_next(code=450)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as later:
        deliver(mail, compose())
    mail.refuse_next(code=550)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as never:
        deliver(mail, compose())
    mail.refuse_next(code=451, at_data=True)
    with pytest.raises(smtplib.SMTPDataError) as data:
        deliver(mail, compose())
    assert [next(iter(error.value.recipients.values()))[0] for error in (later, never)] == [450, 550]
    assert data.value.smtp_code == 451
    assert mail.messages() == []
    deliver(mail, compose())
    assert len(mail.messages()) == 1


@pytest.mark.parametrize("keeps", [True, False])
def test_a_connection_can_break_after_the_final_dot(mail: MailCatcher, keeps: bool) -> None:
    mail.die_next(keeps=keeps)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        deliver(mail, compose())
    assert len(mail.messages()) == int(keeps)


@pytest.mark.parametrize(
    ("plan", "handover", "is_bad_address"),
    [
        (lambda mail: mail.refuse_next(code=421), Handover.RETRY, False),
        (lambda mail: mail.refuse_next(code=421, at_data=True), Handover.RETRY, False),
        (lambda mail: mail.refuse_next(code=450), Handover.RETRY, False),
        (lambda mail: mail.refuse_next(code=499), Handover.RETRY, False),
        (lambda mail: mail.refuse_next(code=550), Handover.REFUSED, True),
        (lambda mail: mail.refuse_next(code=552), Handover.REFUSED, False),
        (lambda mail: mail.refuse_next(code=552, at_data=True), Handover.REFUSED, False),
        (lambda mail: mail.refuse_next(code=554), Handover.REFUSED, False),
        (lambda mail: mail.die_next(), Handover.UNKNOWN, False),
        (lambda mail: mail.hang_next(seconds=5.0, at_data=False), Handover.RETRY, False),
        (lambda mail: mail.hang_next(seconds=5.0), Handover.UNKNOWN, False),
        (lambda mail: mail.hang_next(seconds=0.01), Handover.SENT, False),
        (lambda mail: mail.hang_next(seconds=0.01, at_data=False), Handover.SENT, False),
    ],
)
def test_our_sender_makes_of_each_misbehaviour_what_it_is(
    mail: MailCatcher, plan: Callable[[MailCatcher], None], handover: Handover, is_bad_address: bool
) -> None:
    plan(mail)
    sender = SmtpSender(mail.smtp_url, timeout=0.3, answer_timeout=0.3)
    result = sender.send(ENVELOPE)
    assert (result.handover, result.is_bad_address) == (handover, is_bad_address)
    assert sender.send(ENVELOPE).handover is Handover.SENT
    sender.close()


def test_after_a_421_the_connection_is_over(mail: MailCatcher) -> None:
    mail.refuse_next(code=421)
    with smtplib.SMTP("127.0.0.1", mail.port) as client:
        client.ehlo()
        client.mail("a@b.example")
        assert client.rcpt("c@d.example")[0] == 421
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.getreply()


def test_the_mailbox_lists_and_shows_messages(mail: MailCatcher, mailbox: str, browser: Browser) -> None:
    assert "No message has arrived yet" in browser.open(mailbox).text
    image = "https://demo.myshopify.com/cdn/x.png"
    deliver(mail, compose("<b>Offre</b>", f'<p onclick="x()">Salut</p><img src="{image}" alt="">'))
    listing = browser.open(f"{mailbox}/mailbox")
    shown = browser.click(listing, "<b>Offre</b>")
    assert "bounces@example.com" in shown.text
    assert "Bonjour, votre panier." in shown.text
    assert 'sandbox="' in shown.html
    assert "allow-scripts" not in shown.html
    part = browser.click(shown, "own page")
    assert part.images == ("http://127.0.0.1:1/cdn/x.png",)


def test_the_html_part_is_served_so_that_no_script_can_run(mail: MailCatcher, mailbox: str) -> None:
    deliver(mail, compose(html="<script>alert(1)</script>"))
    browser = Browser()
    answer = browser._request("GET", f"{mailbox}/mailbox/1/html", b"")
    browser.close()
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "script-src" not in answer.headers["content-security-policy"]


def test_missing_messages_and_parts_are_said_to_be_missing(mail: MailCatcher, mailbox: str, browser: Browser) -> None:
    assert browser.open(f"{mailbox}/mailbox/7").status == 404
    deliver(mail, compose(subject="", html=None))
    assert "(no subject)" in browser.open(f"{mailbox}/mailbox/1").text
    assert browser.open(f"{mailbox}/mailbox/1/html").status == 404


class Site:
    """A small site that notes what a browser sends."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def routes(self) -> Starlette:
        paths = [("/see", "GET POST"), ("/hop", "GET POST"), ("/keep", "POST"), ("/loop", "GET"), ("/cookies", "GET"), ("/form", "GET")]
        return Starlette(routes=[route(path, self.answer, methods) for path, methods in paths])

    def answer(self, call: Call) -> Response:
        self.calls.append(call)
        if call.path == "/hop":
            return RedirectResponse("/see", 303)
        if call.path == "/keep":
            return RedirectResponse("/see", 307)
        if call.path == "/loop":
            return RedirectResponse("/loop")
        answer = HTMLResponse('<form action="/see"><input name="q" value="1"><input type="submit" value="Search"></form>')
        if call.path == "/cookies":
            answer.set_cookie("a", "1", expires=60)
            answer.set_cookie("b", "2")
            answer.delete_cookie("old")
        return answer


@pytest.fixture(scope="module")
def site_server() -> Iterator[tuple[Site, str]]:
    site = Site()
    with LocalServer(site.routes()) as server:
        yield site, server.http_origin


def test_a_browser_keeps_cookies_and_forgets_deleted_ones(site_server: tuple[Site, str], browser: Browser) -> None:
    site, origin = site_server
    browser.set_cookie(origin, "old", "x")
    browser.open(f"{origin}/cookies")
    browser.open(f"{origin}/see")
    assert site.calls[-1].headers["cookie"] == "a=1; b=2"


def test_a_browser_follows_redirects_by_their_rules(site_server: tuple[Site, str], browser: Browser) -> None:
    site, origin = site_server
    form = read_page(f"{origin}/x", 200, '<form method="post" action="/hop"><input name="a" value="1"></form>')
    assert browser.submit(form).url == f"{origin}/see"
    assert site.calls[-1].method == "GET"
    kept = read_page(f"{origin}/x", 200, '<form method="post" action="/keep"><input name="a" value="1"></form>')
    browser.submit(kept, a="2")
    assert (site.calls[-1].method, site.calls[-1].fields()) == ("POST", {"a": "2"})
    with pytest.raises(ConnectorError):
        browser.open(f"{origin}/loop")


def test_a_browser_presses_buttons_and_says_what_is_missing(site_server: tuple[Site, str], browser: Browser) -> None:
    site, origin = site_server
    page = browser.open(f"{origin}/form")
    browser.click(page, "search")
    assert (site.calls[-1].path, dict(site.calls[-1].query)) == ("/see", {"q": "1"})
    with pytest.raises(NotFound):
        browser.click(page, "Pay")
    with pytest.raises(NotFound):
        browser.submit(read_page("", 200, "<p>nothing</p>"))


def test_a_page_is_read_as_people_see_it() -> None:
    page = read_page(
        "u",
        200,
        """<head><title>T</title></head><style>p{}</style><a>no</a><a href="/x"><img src="i.png" alt="Complete"> order</a>
        <form method="post"><input name="n" value="v"><input type="checkbox" name="off"><input type="checkbox" name="on" checked>
        <input type="hidden"><textarea name="t"></textarea><button>Pay <b>now</b></button></form><input name="outside"></a>""",
    )
    assert page.links[0].href == "/x"
    assert page.links[0].text == "Complete order"
    assert page.images == ("i.png",)
    assert page.forms[0].fields == {"n": "v", "on": "on", "t": "", "": "Pay now"}
    assert page.text == "no order Pay now"


def test_a_shopper_opens_a_link_of_a_mail_and_unsubscribes_with_one_click(
    mail: MailCatcher, site_server: tuple[Site, str], browser: Browser
) -> None:
    site, origin = site_server
    html = '<a href="https://shop.test/see?step=1">Complete your order</a> <a href="https://shop.test/else">Else</a>'
    one_click = {"List_Unsubscribe": "<mailto:x@y>, <https://shop.test/see?u=1>", "List_Unsubscribe_Post": "List-Unsubscribe=One-Click"}
    deliver(mail, compose(html=html, **one_click))
    caught = mail.messages()[0]
    assert [link.text for link in mail_links(caught)] == ["Complete your order", "Else"]
    visitor = Browser({"https://shop.test": origin})
    visitor.set_cookie("https://shop.test/", "who", "me")
    assert visitor.open_mail_link(caught, "complete").url == f"{origin}/see?step=1"
    assert visitor.unsubscribe_one_click(caught) == 200
    assert site.calls[-1].fields() == {"List-Unsubscribe": "One-Click"}
    assert "cookie" not in site.calls[-1].headers
    with pytest.raises(NotFound):
        visitor.open_mail_link(caught, "absent")
    deliver(mail, compose(html=html))
    with pytest.raises(NotFound):
        visitor.unsubscribe_one_click(mail.messages()[1])
    visitor.close()


def test_a_catcher_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    catcher = MailCatcher(Clock())
    catcher.stop()
    assert catcher.messages() == []
