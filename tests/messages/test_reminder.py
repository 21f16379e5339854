"""The e-mail about an abandoned checkout, read the way a shopper's mail program reads it."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from connector.errors import ConfigError, Refused
from connector.messages.envelope import Envelope
from connector.messages.phrases import PHRASES
from connector.messages.reminder import (
    MAX_LINES,
    ReminderContent,
    ReminderLine,
    compile_reminder,
    compose_reminder,
    mailbox,
    money,
    reminder_envelope,
    sample_content,
)
from connector.messages.templates import Rendered, TemplateError, compile_template

LINK = "https://connector.example/r/8f14e45fceea167a5a36dedd4bea2543"
UNSUBSCRIBE = "https://connector.example/u/c9f0f895fb98ab9159f51fd0297e236d"
BOWL = ReminderLine(
    title="Stoneware bowl",
    variant_title="Blue / Large",
    quantity=2,
    unit_price=Decimal("12.45"),
    total=Decimal("24.90"),
    image_url="https://cdn.shop.example/bowl.jpg?v=1&w=160",
    description="Thrown by hand in small batches.",
)
CARAFE = ReminderLine(title="Carafe", variant_title=None, quantity=1, unit_price=Decimal(39), total=Decimal(39))
CONTENT = ReminderContent(
    shop_name="Boutique Test",
    shop_contact=("Boutique Test SARL", "1 rue de l'Exemple, 75000 Paris", "bonjour@shop.example"),
    language="en",
    currency="EUR",
    first_name="Camille",
    lines=(BOWL, CARAFE),
    total=Decimal("63.90"),
    link_url=LINK,
    unsubscribe_url=UNSUBSCRIBE,
)


@dataclass
class Link:
    """One `<a>`: where it leads, its words, the images inside it."""

    href: str
    words: str = ""
    images: list[dict[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """The visible words, links and images of an HTML document."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.images: list[dict[str, str]] = []
        self.words = ""
        self.tags: list[str] = []
        self._link: Link | None = None
        self._is_hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._is_hidden = self._is_hidden or tag in ("style", "title")
        if tag == "a":
            self._link = Link(values["href"])
            self.links.append(self._link)
        if tag == "img":
            self.images.append(values)
            if self._link is not None:
                self._link.images.append(values)

    def handle_endtag(self, tag: str) -> None:
        self._is_hidden = self._is_hidden and tag not in ("style", "title")
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._is_hidden:
            return
        self.words += data
        if self._link is not None:
            self._link.words += data

    def link(self, words: str) -> Link:
        """The one link with these words."""
        (link,) = [link for link in self.links if link.words.strip() == words]
        return link


def page_of(content: ReminderContent) -> Page:
    return Page(compose_reminder(content).html)


def text_of(content: ReminderContent) -> str:
    return compose_reminder(content).text


@pytest.mark.spec("SQ-14")
def test_a_complete_order_button_leads_back_to_the_checkout_in_html_and_text() -> None:
    assert page_of(CONTENT).link("Complete order").href == LINK
    assert f"Complete order\n{LINK}\n" in text_of(CONTENT)


@pytest.mark.spec("AC-09")
def test_the_button_is_there_by_default_in_every_language() -> None:
    for language, words in PHRASES.items():
        content = replace(CONTENT, language=language)
        assert page_of(content).link(words["button"]).href == LINK
        assert words["button"] in text_of(content)


@pytest.mark.spec("SQ-15")
def test_the_store_name_is_in_the_body_and_the_subject() -> None:
    rendered = compose_reminder(CONTENT)
    assert "Boutique Test" in Page(rendered.html).words
    assert "Boutique Test" in rendered.text
    assert rendered.subject == "You left something at Boutique Test"


@pytest.mark.spec("SQ-17")
@pytest.mark.spec("AC-08")
def test_each_line_shows_image_title_price_description_and_quantity() -> None:
    page, text = page_of(CONTENT), text_of(CONTENT)
    (image,) = page.images
    assert image["src"] == BOWL.image_url
    assert image["alt"] == "Stoneware bowl"
    expected = ("Stoneware bowl", "Blue / Large", "Thrown by hand in small batches.", "Quantity: 2", "€24.90", "€12.45 each")
    for words in (*expected, "Carafe", "Quantity: 1", "€39.00", "€63.90"):
        assert words in page.words, words
        assert words in text, words
    assert page.words.count("each") == 1, "one piece needs no price each"


@pytest.mark.spec("SQ-17")
@pytest.mark.parametrize(
    "image_url", [None, "", "bowl.jpg", "javascript:alert(1)", "data:image/png;base64,x", "https://[broken", "https://a b"]
)
def test_a_line_without_a_usable_image_gets_a_placeholder_that_links_too(image_url: str | None) -> None:
    page = page_of(replace(CONTENT, lines=(replace(CARAFE, image_url=image_url),)))
    assert page.images == []
    assert page.link("C").href == LINK
    assert page.link("Carafe").href == LINK


@pytest.mark.spec("AC-10")
def test_button_image_and_name_lead_to_the_checkout_and_nothing_to_the_product() -> None:
    page = page_of(CONTENT)
    assert [link.href for link in page.links if link.images] == [LINK]
    assert page.link("Stoneware bowl").href == page.link("Carafe").href == page.link("Complete order").href == LINK
    assert {link.href for link in page.links} == {LINK, UNSUBSCRIBE}


@pytest.mark.spec("SQ-18")
def test_the_merchants_own_words_appear_escaped_and_are_no_template() -> None:
    content = replace(CONTENT, extra_text='Free <b>gift</b> & {{ shop_name }} {% if x %}\r\n\nSee you "soon"\x00\ud800')
    rendered = compose_reminder(content)
    assert "Free &lt;b&gt;gift&lt;/b&gt; &amp; {{ shop_name }} {% if x %}<br />" in rendered.html
    assert 'Free <b>gift</b> & {{ shop_name }} {% if x %}\n\nSee you "soon"\n' in rendered.text
    assert 'See you "soon"' in Page(rendered.html).words


def test_without_own_words_nothing_stands_in_their_place() -> None:
    for extra in (None, "", "  \n "):
        assert compose_reminder(replace(CONTENT, extra_text=extra)) == compose_reminder(CONTENT)
    assert "\n\n\n" not in text_of(CONTENT)


@pytest.mark.spec("SQ-16")
def test_footer_names_the_store_and_offers_to_unsubscribe() -> None:
    page, text = page_of(CONTENT), text_of(CONTENT)
    assert page.link("Unsubscribe from these reminders").href == UNSUBSCRIBE
    assert UNSUBSCRIBE in text
    for line in CONTENT.shop_contact:
        assert line in page.words
        assert line in text


@pytest.mark.parametrize(
    ("language", "subject", "greeting", "price"),
    [
        ("en", "You left something at Boutique Test", "Hello Camille,", "€1,234.50"),
        ("fr", "Votre panier vous attend chez Boutique Test", "Bonjour Camille,", "1\u202f234,50\u00a0€"),
        ("fr-CA", "Votre panier vous attend chez Boutique Test", "Bonjour Camille,", "1\u00a0234,50\u00a0€"),
        ("fr_FR", "Votre panier vous attend chez Boutique Test", "Bonjour Camille,", "1\u202f234,50\u00a0€"),
        ("en-GB", "You left something at Boutique Test", "Hello Camille,", "€1,234.50"),
        ("de-DE", "You left something at Boutique Test", "Hello Camille,", "€1,234.50"),
        ("tlh", "You left something at Boutique Test", "Hello Camille,", "€1,234.50"),
        ("", "You left something at Boutique Test", "Hello Camille,", "€1,234.50"),
    ],
)
def test_words_and_numbers_come_in_the_same_language(language: str, subject: str, greeting: str, price: str) -> None:
    rendered = compose_reminder(replace(CONTENT, language=language, total=Decimal("1234.5")))
    assert rendered.subject == subject
    assert greeting in rendered.text
    assert price in rendered.text
    assert price in Page(rendered.html).words
    assert f'lang="{language[:2] if language[:2] in PHRASES else "en"}"' in rendered.html


def test_both_languages_say_the_same_things() -> None:
    english, french = PHRASES["en"], PHRASES["fr"]
    assert english.keys() == french.keys()
    for key in english:
        assert {part for part in ("{shop}", "{name}", "{price}", "{count}") if part in english[key]} == {
            part for part in ("{shop}", "{name}", "{price}", "{count}") if part in french[key]
        }, key


@pytest.mark.parametrize("name", [None, "", " ", "\r\n"])
def test_somebody_without_a_name_is_greeted_all_the_same(name: str | None) -> None:
    assert "\nHello,\n" in text_of(replace(CONTENT, first_name=name))


@pytest.mark.parametrize(
    ("amount", "currency", "language", "written"),
    [
        (Decimal("24.90"), "EUR", "fr", "24,90\u00a0€"),
        (Decimal("24.905"), "EUR", "fr", "24,91\u00a0€"),
        (Decimal(1500), "JPY", "en", "¥1,500"),
        (Decimal("1.5"), "KWD", "en", "KWD\u00a01.500"),
        (Decimal("9007199254740993.01"), "USD", "en", "$9,007,199,254,740,993.01"),
        (Decimal(3), "XQX", "en", "XQX\u00a03.00"),
    ],
)
def test_money_is_exact_and_written_for_its_reader(amount: Decimal, currency: str, language: str, written: str) -> None:
    assert money(amount, currency, language).replace("KWD1", "KWD\u00a01").replace("XQX3", "XQX\u00a03") == written


def test_what_stores_and_shoppers_typed_cannot_break_the_page() -> None:
    evil = '"><script>alert(1)</script>{{ 1 }}'
    line = ReminderLine(evil, evil, 1, Decimal(1), Decimal(1), 'https://x.example/"onerror="alert(1)', evil)
    content = replace(CONTENT, shop_name=evil, first_name=evil, shop_contact=(evil,), lines=(line,), extra_text=evil)
    rendered = compose_reminder(content)
    page = Page(rendered.html)
    assert "script" not in page.tags
    assert page.images[0] == {**page.images[0], "src": line.image_url, "alt": evil}
    assert "onerror" not in page.images[0]
    assert evil in page.words
    assert evil in rendered.text


def test_long_titles_and_descriptions_are_cut_between_words() -> None:
    line = replace(CARAFE, title="x" * 500, description="A carafe, that is all. " * 20)
    text = text_of(replace(CONTENT, lines=(line,)))
    assert "x" * 199 + "…" in text
    assert "x" * 200 not in text
    assert "  A carafe, that is all. A carafe," in text
    assert "that is all…\n" in text or "A carafe…\n" in text or "is…\n" in text or "that…\n" in text or "A…\n" in text


def test_a_line_without_any_title_still_has_something_to_click() -> None:
    assert page_of(replace(CONTENT, lines=(replace(CARAFE, title=" "),))).link("·").href == LINK


@pytest.mark.parametrize(("extra", "words"), [(0, ""), (1, "and 1 more item"), (3, "and 3 more items")])
def test_endless_carts_are_cut_and_the_rest_is_counted(extra: int, words: str) -> None:
    content = replace(CONTENT, lines=(CARAFE,) * (MAX_LINES + extra))
    rendered = compose_reminder(content)
    assert rendered.text.count("* Carafe") == MAX_LINES
    assert words in rendered.text
    assert words in Page(rendered.html).words
    assert ("more item" in rendered.text) == (extra > 0)
    assert len(rendered.html.encode()) < 102_000, "beyond that Gmail hides the end, and with it the way out"


@pytest.mark.parametrize(
    "link", ["", "javascript:alert(1)", "/r/1", "https://", "https://x.example/a b", "https://x.example/\n", "https://[x"]
)
def test_links_that_are_no_web_addresses_are_refused(link: str) -> None:
    with pytest.raises(Refused):
        compose_reminder(replace(CONTENT, link_url=link))
    with pytest.raises(Refused):
        compose_reminder(replace(CONTENT, unsubscribe_url=link))


OWN_MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text>"
    '<mj-button href="{{{{ link_url }}}}">Back</mj-button></mj-column></mj-section></mj-body></mjml>'
)
WAY_OUT = '<a href="{{ unsubscribe_url }}">Stop</a>'
OWN_TEXT = "{{ link_url }} {{ unsubscribe_url }}"


def test_a_merchants_own_template_is_used() -> None:
    body = "{{ first_name | default: 'friend' }}, {{ lines.size }} things at {{ shop_name }} for {{ total }} " + WAY_OUT
    template = compile_reminder("{{ shop_name }}: {{ t.subject }}", OWN_MJML.format(body), OWN_TEXT)
    rendered = compose_reminder(replace(CONTENT, first_name=None), template)
    assert rendered.subject == "Boutique Test: You left something at Boutique Test"
    assert "friend, 2 things at Boutique Test for €63.90" in rendered.html
    assert rendered.text == f"{LINK} {UNSUBSCRIBE}\n"


@pytest.mark.parametrize(
    ("subject", "body", "text", "message"),
    [
        ("s", "x", OWN_TEXT, "MJML: the e-mail must contain {{ unsubscribe_url }}"),
        ("s", WAY_OUT, "{{ unsubscribe_url }}", "text: the e-mail must contain {{ link_url }}"),
        ("s", WAY_OUT, "{{ link_url }}", "text: the e-mail must contain {{ unsubscribe_url }}"),
        (" ", WAY_OUT, OWN_TEXT, "subject: there must be one"),
        ("{{ customer.name }}", WAY_OUT, OWN_TEXT, "subject, line 1: 'customer' is undefined"),
    ],
)
def test_a_template_without_its_links_or_with_unknown_variables_is_refused_when_saved(
    subject: str, body: str, text: str, message: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_reminder(subject, OWN_MJML.format(body), text)
    assert message in str(caught.value)


def test_a_stored_template_that_no_longer_fits_fails_as_a_template_error() -> None:
    stale = compile_template("{{ gone }}", OWN_MJML.format(WAY_OUT), OWN_TEXT)
    with pytest.raises(TemplateError, match="'gone' is undefined"):
        compose_reminder(CONTENT, stale)


def test_the_sample_can_be_composed_in_every_language() -> None:
    for language in PHRASES:
        assert "Boutique Test" in compose_reminder(sample_content(language)).text


RENDERED = Rendered(subject="Hello", html="<p>Hello</p>", text="Hello")


def envelope(rendered: Rendered = RENDERED, **values: str) -> Envelope:
    defaults = {"message_id": "m1@shop.example", "sender": '"A" <a@b.example>', "to": "x@y.example", "unsubscribe_url": UNSUBSCRIBE}
    return reminder_envelope(rendered, **{**defaults, **values})


def test_the_envelope_carries_one_click_unsubscribe() -> None:
    made = envelope()
    assert made.headers == {"List-Unsubscribe": f"<{UNSUBSCRIBE}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    assert (made.subject, made.html, made.text, made.to) == ("Hello", "<p>Hello</p>", "Hello", "x@y.example")


def test_a_subject_cannot_start_another_header() -> None:
    assert envelope(replace(RENDERED, subject="Hi\r\nBcc: all@x.example\n")).subject == "Hi Bcc: all@x.example"


@pytest.mark.parametrize("name", ["message_id", "to", "unsubscribe_url"])
@pytest.mark.parametrize("value", ["", "a\r\nBcc: b@c.example", "https://x.example/\n", "<a@b.example>", "a b", "a\x00b"])
def test_words_that_do_not_fit_one_header_are_refused(name: str, value: str) -> None:
    with pytest.raises(Refused):
        envelope(**{name: value})


@pytest.mark.parametrize("sender", ["", "A <a@b.example>\r\nBcc: c@d.example"])
def test_a_sender_of_several_lines_is_refused(sender: str) -> None:
    with pytest.raises(Refused):
        envelope(sender=sender)


def test_an_unsubscribe_link_must_be_a_web_address() -> None:
    with pytest.raises(Refused):
        envelope(unsubscribe_url="mailto:x@y.example")


@pytest.mark.spec("SQ-15")
@pytest.mark.parametrize(
    ("display", "configured", "expected"),
    [
        ("Boutique Test", "Connector <connector@localhost>", '"Boutique Test" <connector@localhost>'),
        ("Café & Cie", "connector@localhost", '"Café & Cie" <connector@localhost>'),
        ('Joe "Quick" \\ Sons', "c@x.example", '"Joe \\"Quick\\" \\\\ Sons" <c@x.example>'),
        ("A\r\nBcc: x@y.example", "c@x.example", '"A Bcc: x@y.example" <c@x.example>'),
        ("Evil <root@bank.example>", "c@x.example", '"Evil <root@bank.example>" <c@x.example>'),
        ("", "Connector <c@x.example>", '"Connector" <c@x.example>'),
        (" \x00", "c@x.example", "c@x.example"),
        ("N" * 200, "c@x.example", f'"{"N" * 80}" <c@x.example>'),
    ],
)
def test_mail_comes_from_the_store_by_way_of_our_address(display: str, configured: str, expected: str) -> None:
    assert mailbox(display, configured) == expected


@pytest.mark.parametrize("configured", ["", "Connector", "Connector <>", "a@b@c", "@x.example"])
def test_a_sender_setting_without_an_address_is_named(configured: str) -> None:
    with pytest.raises(ConfigError, match="MAIL_FROM"):
        mailbox("Shop", configured)
