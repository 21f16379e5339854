"""The e-mail by which a shopper is given an offer, read the way a mail program reads it."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from connector.errors import Refused
from connector.messages.offer_mail import ENGLISH, FRENCH, OfferContent, compose_offer, sample_offer

LINK = "https://connector.example/o/AAAAAAAAAAAAAAAAAAAAAA"
OUT = "https://connector.example/u/BBBBBBBBBBBBBBBBBBBBBB"
BANNER = "https://connector.example/banners/bnr_1"
CONTENT = OfferContent(
    shop_name="Boutique Test",
    shop_contact=("Boutique Test", "8 rue du Bac, 75007 Paris", ""),
    language="en",
    zone=ZoneInfo("Europe/Paris"),
    first_name="Anna",
    headline="Thank you for your order!",
    body="Here is something for next time.\n\nSee you soon",
    code="THANKS-7K2QW",
    kind="percentage",
    value=Decimal(10),
    currency="EUR",
    minimum_subtotal=Decimal(40),
    ends_at=datetime(2026, 12, 30, 22, 59, 59, tzinfo=UTC),
    link_url=LINK,
    unsubscribe_url=OUT,
    banner_url=BANNER,
)


@dataclass
class Page:
    """The links with their words, the pictures and the visible words of an HTML document."""

    links: list[tuple[str, str]] = field(default_factory=list)
    images: list[dict[str, str | None]] = field(default_factory=list)
    words: str = ""
    tags: set[str] = field(default_factory=set)


class Reader(HTMLParser):
    """Fills a Page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.page = Page()
        self._href: str | None = None
        self._hidden = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.page.tags.add(tag)
        if tag in ("style", "title"):
            self._hidden = tag
        if tag == "a":
            self._href = values["href"]
            self.page.links.append((self._href or "", ""))
        if tag == "img":
            self.page.images.append(values)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden
        if tag == "a":
            self._href = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.page.words += data
        if self._href is not None:
            href, words = self.page.links[-1]
            self.page.links[-1] = href, words + data.strip()


def page_of(content: OfferContent) -> Page:
    return Reader(compose_offer(content).html).page


def test_both_languages_have_the_same_words_to_fill() -> None:
    assert ENGLISH.keys() == FRENCH.keys()
    for key, text in ENGLISH.items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", FRENCH[key])), key


def test_the_mail_says_what_the_merchant_wrote_what_the_code_gives_and_until_when() -> None:
    mail, page = compose_offer(CONTENT), page_of(CONTENT)
    assert mail.subject == "Thank you for your order!"
    for words in (
        "Boutique Test",
        "Thank you for your order!",
        "Hello Anna,",
        "Here is something for next time.",
        "See you soon",
        "10% off on orders of €40.00 or more",
        "THANKS-7K2QW",
        "Valid until December 30, 2026",
        "8 rue du Bac, 75007 Paris",
        "because you ordered at Boutique Test",
    ):
        assert words in page.words, words
        assert words in mail.text, words


def test_button_and_picture_lead_to_the_offers_page_and_the_way_out_is_in_both_parts() -> None:
    mail, page = compose_offer(CONTENT), page_of(CONTENT)
    assert [href for href, _ in page.links] == [LINK, LINK, OUT]
    assert dict(page.links[1:]) == {LINK: "Use my code", OUT: "Unsubscribe from offers and reminders of this store"}
    assert f"Use my code\n{LINK}\n" in mail.text
    assert f"{OUT}\n" in mail.text


def test_the_picture_is_shown_in_whole_width_with_a_text_for_those_who_see_none() -> None:
    (image,) = page_of(CONTENT).images
    assert (image["src"], image["alt"], image["width"]) == (BANNER, "Thank you for your order!", "600")
    assert "height:auto" in (image["style"] or "")


def test_without_a_picture_there_is_none() -> None:
    page = page_of(replace(CONTENT, banner_url=None))
    assert page.images == []
    assert [href for href, _ in page.links] == [LINK, OUT]


def test_the_first_line_that_inboxes_show_says_what_it_is_worth() -> None:
    html = compose_offer(CONTENT).html
    preview = re.search(r"<div[^>]*display:none[^>]*>(.*?)</div>", html, re.DOTALL)
    assert preview is not None
    assert preview.group(1).strip() == "10% off on orders of €40.00 or more · Valid until December 30, 2026"


def test_a_code_without_an_end_promises_none() -> None:
    mail = compose_offer(replace(CONTENT, ends_at=None))
    for part in (mail.text, mail.html):
        assert "Valid until" not in part
        assert "No end" not in part


def test_french_readers_get_french_words_around_what_the_merchant_wrote() -> None:
    mail = compose_offer(replace(CONTENT, language="fr-FR"))
    words = mail.text.replace("\u00a0", " ").replace("\u202f", " ")
    for said in ("Bonjour Anna,", "10 % de réduction dès 40,00 € d’achat", "Valable jusqu’au 30 décembre 2026", "Utiliser mon code"):
        assert said in words, said
    assert "Thank you for your order!" in words
    assert 'lang="fr"' in mail.html


@pytest.mark.parametrize(("language", "subject"), [("en", "A discount for your next order at"), ("fr", "Une remise sur votre prochaine")])
def test_a_draft_without_words_can_be_seen_all_the_same(language: str, subject: str) -> None:
    mail = compose_offer(replace(CONTENT, language=language, headline=" ", body="", first_name=None))
    assert mail.subject.startswith(subject)
    assert "\n\n\n" not in mail.text
    assert "None" not in mail.text


def test_what_merchants_and_shoppers_typed_cannot_break_the_page_and_is_no_template() -> None:
    evil = '"><script>alert(1)</script>{{ 1 }}{% if x %}'
    content = replace(CONTENT, shop_name=evil, first_name=evil, headline=evil, body=evil, code=evil, shop_contact=(evil,))
    mail, page = compose_offer(content), page_of(content)
    assert "script" not in page.tags
    assert evil in page.words
    assert evil in mail.text
    assert page.images[0]["alt"] == evil


def test_nothing_typed_can_start_another_header_or_line_of_the_code() -> None:
    mail = compose_offer(replace(CONTENT, headline="Hi\r\nBcc: all@example.org", code="A\r\nB"))
    assert mail.subject == "Hi Bcc: all@example.org"
    assert "Your code: A B\n" in mail.text


@pytest.mark.parametrize("name", ["link_url", "unsubscribe_url", "banner_url"])
@pytest.mark.parametrize("link", ["javascript:alert(1)", "/o/1", "https://", "https://x.example/a b"])
def test_links_that_are_no_web_addresses_are_refused(name: str, link: str) -> None:
    content = CONTENT
    match name:
        case "link_url":
            content = replace(CONTENT, link_url=link)
        case "unsubscribe_url":
            content = replace(CONTENT, unsubscribe_url=link)
        case _:
            content = replace(CONTENT, banner_url=link)
    with pytest.raises(Refused):
        compose_offer(content)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_longest_words_that_a_merchant_may_save_stay_below_what_mail_programs_cut(language: str) -> None:
    content = replace(CONTENT, language=language, headline="é" * 120, body="& " * 1_000, code="X" * 255)
    assert len(compose_offer(content).html.encode()) < 102_000, "beyond that Gmail hides the end, and with it the way out"


def test_the_sample_can_be_composed_in_every_language() -> None:
    for language in ("en", "fr"):
        assert "MERCI-7K2QW" in compose_offer(sample_offer(language)).text
