"""
The e-mail by which a shopper is given a post-purchase offer: the merchant's words and picture, what the code gives, and until when.

The merchant's words are text, never a template: whatever they typed is shown as they typed it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import cache
from importlib.resources import files

from connector.messages import offer_words
from connector.messages.phrases import phrase_language
from connector.messages.templates import CompiledTemplate, Rendered, compile_template, one_line, printable, render
from connector.messages.writing import MAX_EXTRA, cut, web_url

MAX_TITLE, MAX_NAME, MAX_CODE = 200, 80, 255

ENGLISH: Mapping[str, str] = {
    "subject": "A discount for your next order at {shop}",
    "headline": "Thank you for your order",
    "greeting": "Hello,",
    "greeting_named": "Hello {name},",
    "code": "Your code:",
    "button": "Use my code",
    "how": "Enter the code at checkout, or use the button above: it always shows whether the code is still valid.",
    "reason": "You receive this e-mail because you ordered at {shop}.",
    "unsubscribe": "Unsubscribe from offers and reminders of this store",
}
FRENCH: Mapping[str, str] = {
    "subject": "Une remise sur votre prochaine commande chez {shop}",
    "headline": "Merci pour votre commande",
    "greeting": "Bonjour,",
    "greeting_named": "Bonjour {name},",
    "code": "Votre code :",
    "button": "Utiliser mon code",
    "how": "Saisissez ce code au moment de payer, ou suivez le bouton ci-dessus : il indique toujours si le code est encore valable.",
    "reason": "Vous recevez cet e-mail parce que vous avez commandé chez {shop}.",
    "unsubscribe": "Ne plus recevoir les offres et rappels de cette boutique",
}
WORDS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "fr": FRENCH}


@dataclass(frozen=True, slots=True)
class OfferContent:
    """
    What one person is told of an offer that is theirs: its e-mail and its page say the same.

    `language` is BCP 47, `zone` the shop's. `kind` to `minimum_subtotal`: what the code gives. `banner_url`: a picture of 933 × 480.
    `link_url` is the offer's own page, `unsubscribe_url` ends such mails; both http(s). Of a preview the code may be an invented one.
    """

    shop_name: str
    shop_contact: tuple[str, ...]
    language: str
    zone: tzinfo
    first_name: str | None
    headline: str
    body: str
    code: str
    kind: str | None
    value: Decimal | None
    currency: str | None
    minimum_subtotal: Decimal | None
    ends_at: datetime | None
    link_url: str
    unsubscribe_url: str
    banner_url: str | None = None

    @property
    def gives(self) -> str:
        """What the code gives, in the reader's words."""
        return offer_words.gives(self.kind, self.value, self.currency, self.minimum_subtotal, self.language)

    @property
    def until(self) -> str:
        """Until when it is good; nothing if it has no end."""
        return offer_words.until(self.ends_at, self.zone, self.language) if self.ends_at else ""


def compose_offer(content: OfferContent) -> Rendered:
    """Write the e-mail of an offer. Raises Refused if a link is not http(s)."""
    return render(_template(), _variables(content))


def sample_offer(language: str) -> OfferContent:
    """Invented content for previews and proofs."""
    return OfferContent(
        shop_name="Boutique Test",
        shop_contact=("Boutique Test", "1 rue de l’Exemple, 75000 Paris", "bonjour@shop.example"),
        language=language,
        zone=UTC,
        first_name="Camille",
        headline="Merci pour votre commande !",
        body="Voici de quoi vous faire plaisir la prochaine fois.",
        code="MERCI-7K2QW",
        kind="percentage",
        value=Decimal(10),
        currency="EUR",
        minimum_subtotal=Decimal(40),
        ends_at=datetime(2030, 11, 30, 23, 59, 59, tzinfo=UTC),
        link_url="https://connector.example/o/0123456789abcdef012345",
        unsubscribe_url="https://connector.example/u/0123456789abcdef012345",
    )


@cache
def _template() -> CompiledTemplate:
    folder = files("connector.messages") / "templates"
    mjml, text = ((folder / name).read_text(encoding="utf-8") for name in ("offer.mjml", "offer.txt"))
    return compile_template("{{ subject }}", mjml, text)


def _variables(content: OfferContent) -> dict[str, object]:
    words = WORDS[phrase_language(content.language)]
    shop, name = cut(content.shop_name, MAX_TITLE), cut(content.first_name or "", MAX_NAME)
    headline = cut(content.headline, MAX_TITLE)
    body = printable(content.body)[:MAX_EXTRA].strip()
    said = {key: text.format(shop=shop, name=name) for key, text in words.items()}
    return {
        "language": phrase_language(content.language),
        "t": said,
        "subject": headline or said["subject"],
        "preheader": " · ".join(text for text in (content.gives, content.until) if text),
        "shop_name": shop,
        "headline": headline or said["headline"],
        "greeting": said["greeting_named"] if name else said["greeting"],
        "body_lines": [line.strip() for line in body.split("\n")] if body else [],
        "banner_url": web_url(content.banner_url) if content.banner_url else "",
        "gives": content.gives,
        "until": content.until,
        "code": one_line(content.code)[:MAX_CODE],
        "link_url": web_url(content.link_url),
        "unsubscribe_url": web_url(content.unsubscribe_url),
        "contact_lines": [cut(line, MAX_TITLE) for line in content.shop_contact if line.strip()],
    }
