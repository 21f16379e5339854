"""
The e-mail about an abandoned checkout: what it says, and the envelope it travels in.

Variables a merchant's template may use: `shop_name`, `first_name` (may be empty), `lines` (each with `title`,
`variant_title`, `quantity`, `unit_price`, `total`, `image_url`, `description`, `initial`, `each`), `more`, `total`,
`link_url`, `unsubscribe_url`, `extra_lines`, `contact_lines`, `language`, and our words as `t` (`t.button`, ...).
Prices are already written for the reader. Values that are missing are empty, so `default` works on each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from functools import cache
from importlib.resources import files

from connector.errors import ConfigError, Refused
from connector.messages.envelope import Envelope
from connector.messages.phrases import PHRASES, phrase_language
from connector.messages.templates import CompiledTemplate, Rendered, TemplateError, compile_template, one_line, printable, render
from connector.messages.writing import MAX_EXTRA, cut, is_web_url, web_url
from connector.messages.writing import money as money

MAX_LINES = 50
MAX_TITLE = 200
MAX_DESCRIPTION = 140
MAX_NAME = 80

_PLAIN_WORDS = ("subject", "preheader", "headline", "intro", "quantity", "total", "button", "reason", "unsubscribe")


@dataclass(frozen=True, slots=True)
class ReminderLine:
    """One thing left behind. Amounts are exact and in the content's currency."""

    title: str
    variant_title: str | None
    quantity: int
    unit_price: Decimal
    total: Decimal
    image_url: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ReminderContent:
    """
    Everything one reminder says.

    `language` is BCP 47, `currency` ISO 4217. `shop_contact` are the lines of the footer. `link_url` leads back to the
    checkout, `unsubscribe_url` ends the reminders; both are http(s). `extra_text` is the merchant's own, plain text.
    """

    shop_name: str
    shop_contact: tuple[str, ...]
    language: str
    currency: str
    first_name: str | None
    lines: tuple[ReminderLine, ...]
    total: Decimal
    link_url: str
    unsubscribe_url: str
    extra_text: str | None = None


def compose_reminder(content: ReminderContent, template: CompiledTemplate | None = None) -> Rendered:
    """
    Write the reminder with the merchant's template or ours.

    At most MAX_LINES lines are shown, the rest is counted. Raises TemplateError if the merchant's template cannot be
    filled, Refused if a link is not http(s).
    """
    return render(template or default_template(), _variables(content))


def compile_reminder(subject: str, mjml: str, text: str) -> CompiledTemplate:
    """
    Compile a merchant's template and prove it on a sample: every variable exists, and HTML and text hold both links.

    Raises TemplateError.
    """
    template = compile_template(subject, mjml, text)
    for language in PHRASES:
        content = sample_content(language)
        rendered = compose_reminder(content, template)
        for name, part in (("MJML", rendered.html), ("text", rendered.text)):
            for variable, url in (("link_url", content.link_url), ("unsubscribe_url", content.unsubscribe_url)):
                if url not in part:
                    raise TemplateError(f"{name}: the e-mail must contain {{{{ {variable} }}}}")
        if not rendered.subject:
            raise TemplateError("subject: there must be one")
    return template


@cache
def default_template() -> CompiledTemplate:
    """Our own template, compiled once; its words come from `phrases`."""
    folder = files("connector.messages") / "templates"
    mjml, text = ((folder / name).read_text(encoding="utf-8") for name in ("reminder.mjml", "reminder.txt"))
    return compile_template("{{ t.subject }}", mjml, text)


def sample_content(language: str) -> ReminderContent:
    """Invented content for previews and proofs."""
    lines = (
        ReminderLine("Bol en grès", "Bleu", 2, Decimal("12.45"), Decimal("24.90"), "https://shop.example/bowl.jpg", "Tourné à la main."),
        ReminderLine("Carafe", None, 1, Decimal("39.00"), Decimal("39.00")),
    )
    return ReminderContent(
        shop_name="Boutique Test",
        shop_contact=("Boutique Test", "1 rue de l’Exemple, 75000 Paris", "bonjour@shop.example"),
        language=language,
        currency="EUR",
        first_name="Camille",
        lines=lines,
        total=Decimal("63.90"),
        link_url="https://connector.example/r/0123456789abcdef",
        unsubscribe_url="https://connector.example/u/0123456789abcdef",
        extra_text="Merci !",
    )


def reminder_envelope(rendered: Rendered, *, message_id: str, sender: str, to: str, unsubscribe_url: str) -> Envelope:
    """
    Put a rendered message into an envelope with one-click unsubscribe headers (RFC 8058).

    `message_id` without angle brackets; `sender` as `mailbox` returns it. Raises Refused for values that could not stand
    in one header each.
    """
    for name, value in (("message id", message_id), ("recipient", to), ("unsubscribe link", unsubscribe_url)):
        if not value or value != one_line(value) or any(sign in value for sign in " <>"):
            raise Refused(f"the {name} of a message must be one word without angle brackets")
    if not sender or sender != one_line(sender):
        raise Refused("the sender of a message must be one line")
    return Envelope(
        message_id=message_id,
        sender=sender,
        to=to,
        subject=one_line(rendered.subject),
        html=rendered.html,
        text=rendered.text,
        headers={
            "List-Unsubscribe": f"<{web_url(unsubscribe_url)}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )


def mailbox(display: str, configured: str) -> str:
    """
    The From mailbox: a store's name with our configured address, `"Boutique Test" <connector@localhost>`.

    Without a usable name the configured one stays. Raises ConfigError if `configured` holds no address.
    """
    own_name, address = parseaddr(one_line(configured))
    try:
        address = Address(addr_spec=address).addr_spec
    except (ValueError, IndexError, HeaderParseError) as error:
        raise ConfigError("MAIL_FROM must be a mailbox such as 'Connector <connector@example.com>'") from error
    name = one_line(display)[:MAX_NAME].strip() or own_name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>' if name else address


def _variables(content: ReminderContent) -> dict[str, object]:
    shop = cut(content.shop_name, MAX_TITLE)
    name = cut(content.first_name or "", MAX_NAME)
    extra = printable(content.extra_text or "")[:MAX_EXTRA].strip()
    words = PHRASES[phrase_language(content.language)]
    return {
        "language": phrase_language(content.language),
        "t": _words(words, shop, name),
        "shop_name": shop,
        "first_name": name,
        "lines": [_line(line, content) for line in content.lines[:MAX_LINES]],
        "more": _more(sum(line.quantity for line in content.lines[MAX_LINES:]), words),
        "total": money(content.total, content.currency, content.language),
        "link_url": web_url(content.link_url),
        "unsubscribe_url": web_url(content.unsubscribe_url),
        "extra_lines": [line.strip() for line in extra.split("\n")] if extra else [],
        "contact_lines": [cut(line, MAX_TITLE) for line in content.shop_contact if line.strip()],
    }


def _words(words: Mapping[str, str], shop: str, name: str) -> dict[str, object]:
    """Our phrases with the store's name in them, without those that need a number."""
    ready: dict[str, object] = {key: words[key].format(shop=shop) for key in _PLAIN_WORDS}
    ready["greeting"] = words["greeting_named"].format(name=name) if name else words["greeting"]
    return ready


def _line(line: ReminderLine, content: ReminderContent) -> Mapping[str, object]:
    title = cut(line.title, MAX_TITLE)
    unit_price = money(line.unit_price, content.currency, content.language)
    each = PHRASES[phrase_language(content.language)]["each"].format(price=unit_price)
    return {
        "title": title,
        "variant_title": cut(line.variant_title or "", MAX_TITLE),
        "quantity": line.quantity,
        "unit_price": unit_price,
        "each": each if line.quantity > 1 else "",
        "total": money(line.total, content.currency, content.language),
        "image_url": line.image_url if line.image_url and is_web_url(line.image_url) else "",
        "description": cut(line.description or "", MAX_DESCRIPTION),
        "initial": title[:1].upper() or "·",
    }


def _more(count: int, words: Mapping[str, str]) -> str:
    if count <= 0:
        return ""
    return words["more_one"] if count == 1 else words["more_many"].format(count=count)
