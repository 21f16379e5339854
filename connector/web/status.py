"""Which parts work and which do not, in plain words: for the public status page and for the banner of every page (SQ-22)."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.store.incidents import Pauses
from connector.web.composition import Composition
from connector.web.formats import PLATFORM_TITLES
from connector.web.language import N_, translator
from connector.web.shell import Banner
from connector.web.watching import Fault, Trouble
from sync.handing_over import RETRY_MINUTES
from sync.post import RETRY_SECONDS

PATH = "/status"
PAUSES = Pauses(reminders=tuple(60 * minutes for minutes in RETRY_MINUTES), own=RETRY_SECONDS)
SEVERAL = N_("Several parts do not work as they should at the moment.")


@dataclass(frozen=True, slots=True)
class PartLine:
    """
    One part. `state` is well, degraded, or unknown: what only the database tells. `link` leads to what others say about it; empty:
    nowhere.
    """

    name: str
    state: str
    texts: tuple[str, ...]
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Every part, in the reader's language."""

    is_well: bool
    parts: tuple[PartLine, ...]


def troubles(parts: Composition) -> tuple[Trouble, ...]:
    """What is wrong now, as this process saw it a few seconds ago; takes a fifth of a second at most."""
    return parts.watch.troubles(parts.db, parts.settings, PAUSES)


def banner_for(parts: Composition, language: str) -> Banner | None:
    """What every page says on top while something is wrong; None while all is well."""
    found = troubles(parts)
    if not found:
        return None
    return Banner(_words(_BRIEF[found[0].fault], found[0], language) if len(found) == 1 else translator(language).gettext(SEVERAL), PATH)


def status_page(parts: Composition, language: str) -> StatusPage:
    """The parts in a fixed order, each platform that we know among them."""
    found = troubles(parts)
    platforms = sorted(parts.services.platforms, key=_title)
    lines = (
        *(_part(part, found, language) for part in _PARTS),
        *(_platform(name, [one for one in found if one.platform == name], found, language) for name in platforms),
        _part(_DISK, found, language),
    )
    return StatusPage(not found, lines)


def _part(part: tuple[str, str, tuple[Fault, ...]], found: tuple[Trouble, ...], language: str) -> PartLine:
    name, good, faults = part
    words = translator(language).gettext
    wrong = [one for one in found if one.fault in faults]
    # The disk is looked at without the database.
    state, texts = _judged(words(good), wrong, tuple(wrong) if part is _DISK else found, language)
    return PartLine(words(name), state, texts)


def _platform(name: str, wrong: list[Trouble], found: tuple[Trouble, ...], language: str) -> PartLine:
    words = translator(language).gettext
    link, link_text = _STATUS_PAGES.get(name, ("", ""))
    state, texts = _judged(words(_PLATFORM_GOOD).format(platform=_title(name)), wrong, found, language)
    return PartLine(_title(name), state, texts, link, words(link_text) if link_text else "")


def _judged(good: str, wrong: list[Trouble], found: tuple[Trouble, ...], language: str) -> tuple[str, tuple[str, ...]]:
    if wrong:
        return "degraded", tuple(_words(_LONG[one.fault], one, language) for one in wrong)
    if any(one.fault is Fault.DATABASE_SILENT for one in found):
        return "unknown", (translator(language).gettext(_UNKNOWN),)
    return "well", (good,)


def _title(platform: str) -> str:
    return PLATFORM_TITLES.get(platform, platform)


def _words(text: str, trouble: Trouble, language: str) -> str:
    return translator(language).gettext(text).format(platform=_title(trouble.platform))


_PARTS = (
    (N_("Database"), N_("Our data is read and written as usual."), (Fault.DATABASE_SILENT,)),
    (N_("News from stores and due reminders"), N_("Everything is handled on time."), (Fault.QUEUE_LATE,)),
    (N_("E-mail"), N_("E-mails leave on time."), (Fault.MAIL_LATE, Fault.MAIL_REFUSED)),
)
_DISK = (N_("Storage"), N_("There is room for what stores send."), (Fault.DISK_FULL,))
_UNKNOWN = N_("This cannot be told while the database does not answer.")
_PLATFORM_GOOD = N_("We reach {platform} stores as usual.")

_BRIEF: Mapping[Fault, str] = {
    Fault.DATABASE_SILENT: N_("Our database does not answer as it should."),
    Fault.QUEUE_LATE: N_("We are behind with news from stores and due reminders."),
    Fault.MAIL_LATE: N_("E-mails leave late at the moment."),
    Fault.MAIL_REFUSED: N_("The mail server refuses e-mails at the moment."),
    Fault.PLATFORM_SIGN_INS: N_("Several {platform} stores no longer accept our access."),
    Fault.PLATFORM_READS: N_("{platform} does not answer us as it should."),
    Fault.PLATFORM_SILENT: N_("Several {platform} stores do not tell us what happens in them."),
    Fault.DISK_FULL: N_("Our storage is nearly full."),
}
_LONG: Mapping[Fault, str] = {
    Fault.DATABASE_SILENT: N_(
        "Our database does not answer as it should. Pages may be slow or fail. Stores repeat what we cannot take now, so nothing is lost."
    ),
    Fault.QUEUE_LATE: N_("We are more than 5 minutes behind. Nothing is lost: everything is handled in its turn."),
    Fault.MAIL_LATE: N_("E-mails have been waiting for more than 10 minutes. They leave as soon as that is possible."),
    Fault.MAIL_REFUSED: N_("The mail server refuses most e-mails for now. They are tried again by themselves."),
    Fault.PLATFORM_SIGN_INS: N_(
        "Several {platform} stores stopped accepting our access within the last hour. Their owners were told and may have to connect again."
    ),
    Fault.PLATFORM_READS: N_("{platform} does not answer our questions as it should. Reminders may lack pictures until it does."),
    Fault.PLATFORM_SILENT: N_(
        "Several {platform} stores do not tell us what happens in them. We read it from them ourselves, a little later."
    ),
    Fault.DISK_FULL: N_("Our storage is nearly full. Until there is room again, stores are asked to repeat what they send."),
}
_STATUS_PAGES: Mapping[str, tuple[str, str]] = {
    "shopify": ("https://www.shopifystatus.com", N_("What Shopify says about itself")),
    "woocommerce": ("https://automatticstatus.com", N_("What the makers of WooCommerce say about their services")),
}
