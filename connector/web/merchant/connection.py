"""What the last examination of a shop's connection found, with what helps; examining it again; the companion plugin to download."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from connector.checkups import Check, Verdict
from connector.errors import ConfigError, NotFound
from connector.rules.permissions import Permission
from connector.rules.zones import zone
from connector.store import checkups
from connector.store.checkups import KeptCheckup
from connector.store.tables import ShopRow
from connector.web.asking import Ask
from connector.web.auth import MemberAsk, acting, reading
from connector.web.examining import NO_CHECKUP, examine
from connector.web.formats import PLATFORM_TITLES, Moment, moment
from connector.web.language import N_, translator
from connector.web.merchant.check_phrases import Worded, worded
from integrations.registry import companion_plugin

GROUPS: Sequence[tuple[Verdict, str]] = (
    (Verdict.BAD, N_("To mend")),
    (Verdict.ATTENTION, N_("Worth a look")),
    (Verdict.GOOD, N_("In order")),
    (Verdict.UNKNOWN, N_("Not known")),
)
ALL_WELL = N_("Everything is in order.")
NOTHING_BAD = N_("Nothing is broken.")

router = APIRouter()
Viewer = Annotated[MemberAsk, Depends(reading(Permission.VIEW))]
Actor = Annotated[MemberAsk, Depends(acting(Permission.AUTOMATE))]


@dataclass(frozen=True, slots=True)
class Group:
    """Checks of one verdict, in the order in which they should be mended."""

    title: str
    kind: str
    checks: tuple[Worded, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found: a sentence over it all with its kind (good, warn, bad), and the groups that hold something."""

    at: Moment
    summary: str
    kind: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """How a shop's connection was found to be. Without `examination` nobody looked yet; `nothing`: why nobody ever will."""

    shop_id: str
    name: str
    platform: str
    domain: str
    examination: Examination | None
    nothing: str
    may_examine: bool
    timezone: str


@dataclass(frozen=True, slots=True)
class PluginPanel:
    """What the shop's page says where our plugin may be missing. `has_drafts`: checkouts that were begun may be seen without it."""

    is_offered: bool
    is_outdated: bool
    has_drafts: bool


@router.get("/app/shops/{shop}/connection")
def show_connection(ask: Viewer, shop: str) -> Response:
    """The last examination."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
        kept = checkups.last_checkup(session, row.id)
    return ask.render("connection.html", connection_page(ask, row, kept, may_examine=ask.may(Permission.AUTOMATE)))


@router.post("/app/shops/{shop}/checkups")
def examine_again(ask: Actor, shop: str) -> Response:
    """Examine the connection now; the page tells what was found."""
    with ask.transaction() as session:
        row = ask.shop(session, shop)
        assert row.id is not None
    examine(ask.parts, row.id)
    return ask.redirect(f"/app/shops/{row.public_id}/connection", "examined")


@router.get("/app/companion-plugin")
def download_plugin(ask: Viewer) -> Response:
    """Our plugin for WooCommerce, as WordPress takes it."""
    try:
        plugin = companion_plugin()
    except ConfigError as error:
        raise NotFound("This installation has no companion plugin.") from error
    headers = {"content-disposition": f'attachment; filename="{plugin.file_name}"'}
    return Response(plugin.content, media_type="application/zip", headers=headers)


def connection_page(ask: Ask, shop: ShopRow, kept: KeptCheckup | None, *, may_examine: bool) -> ConnectionPage:
    """The page in the reader's language, for members and for staff."""
    has_checkup = ask.parts.services.platforms[shop.platform].checkup is not None
    return ConnectionPage(
        shop_id=shop.public_id,
        name=shop.name,
        platform=PLATFORM_TITLES.get(shop.platform, shop.platform),
        domain=shop.domain,
        examination=None if kept is None else examination(kept, shop, ask.language),
        nothing="" if has_checkup or kept else ask.gettext(NO_CHECKUP),
        may_examine=may_examine and has_checkup and shop.state != "uninstalled",
        timezone=shop.timezone,
    )


def examination(kept: KeptCheckup, shop: ShopRow, language: str) -> Examination:
    """An examination in words, what is worst first."""
    words = translator(language)
    groups = tuple(group for verdict, title in GROUPS if (group := _group(kept, verdict, title, words.gettext)).checks)
    bad, look = (sum(one.verdict is verdict for one in kept.checks) for verdict in (Verdict.BAD, Verdict.ATTENTION))
    parts = []
    if bad:
        parts.append(words.ngettext("%(num)d thing must be mended.", "%(num)d things must be mended.", bad) % {"num": bad})
    if look:
        parts.append(words.ngettext("%(num)d thing is worth a look.", "%(num)d things are worth a look.", look) % {"num": look})
    if not bad:
        parts.insert(0, words.gettext(NOTHING_BAD if look else ALL_WELL))
    kind = "bad" if bad else "warn" if look else "good"
    return Examination(moment(kept.at, zone(shop.timezone), language), " ".join(parts), kind, groups)


def plugin_panel(kept: KeptCheckup | None, *, has_checkup: bool) -> PluginPanel:
    """Whether the shop's page should offer our plugin, by the last examination."""
    found = None if kept is None else next((one for one in kept.checks if one.code == "plugin"), None)
    is_there = found is not None and found.verdict is not Verdict.UNKNOWN and not _is(found, "missing", "missing_drafts", "outdated")
    return PluginPanel(
        is_offered=has_checkup and not is_there,
        is_outdated=_is(found, "outdated"),
        has_drafts=not _is(found, "missing"),
    )


def _is(check: Check | None, *causes: str) -> bool:
    return check is not None and check.cause in causes


def _group(kept: KeptCheckup, verdict: Verdict, title: str, gettext: Callable[[str], str]) -> Group:
    checks = tuple(worded(one, gettext) for one in kept.checks if one.verdict is verdict)
    return Group(gettext(title), checks[0].kind if checks else "", checks)
