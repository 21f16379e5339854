"""What surrounds every page: who is signed in, where one can go, in which language, what needs attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request

from connector.web.language import LANGUAGES, N_, language_of, translator

MOST_PATH = 2_000

TOASTS: Mapping[str, str] = {
    "saved": N_("Saved."),
    "automation-on": N_("The reminder e-mail is on."),
    "automation-off": N_("The reminder e-mail is off. What was queued is cancelled."),
    "preview-sent": N_("The preview is on its way to you."),
    "webhooks-checked": N_("The webhooks were checked."),
    "examined": N_("The connection was examined."),
    "offer-kept": N_("The draft is kept. Nobody is given it until you publish it."),
    "offer-published": N_("The offer is published."),
    "offer-renewed": N_("The offer has a new code. Who holds the old one keeps it."),
    "offer-off": N_("The offer is off. Codes that people hold stay as they are."),
    "offer-deleted": N_("The offer is deleted. Codes that people hold stay as they are."),
    "signed-out": N_("You are signed out."),
    "signed-out-everywhere": N_("You are signed out everywhere."),
    "member-added": N_("The member was added and gets an e-mail."),
    "member-removed": N_("The member was removed and is signed out everywhere."),
    "key-revoked": N_("The key no longer works."),
    "reason-given": N_("Your reason is written down. It holds for 30 minutes."),
    "shop-moved": N_("The store was moved to the other account."),
    "request-answered": N_("The request is settled."),
    "replayed": N_("The delivery is being handled again."),
    "sync-begun": N_("It has begun. This page follows it by itself."),
    "sync-running": N_("A resync of this store is under way already, or done: this is it. Nothing else was started."),
    "sync-pause": N_("It rests after the page that is being written."),
    "sync-resume": N_("It goes on where it was."),
    "sync-cancel": N_("It is cancelled. What it had written stays."),
}


@dataclass(frozen=True, slots=True)
class NavItem:
    """One place to go. `label` is in the reader's language."""

    label: str
    url: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Banner:
    """Something is degraded: words in the reader's language, and the page that tells more (SQ-22)."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Shell:
    """
    The frame of one page. `path` is the page's own address with its query; `area` is merchant, support or public.

    `who` is empty if nobody is signed in; `csrf` goes into every form; `toast` says once what was just done.
    """

    language: str
    path: str
    area: str = "public"
    nav: tuple[NavItem, ...] = ()
    who: str = ""
    account: str = ""
    csrf: str = ""
    banner: Banner | None = None
    toast: str = ""
    is_sandbox: bool = False

    @property
    def languages(self) -> tuple[tuple[str, str], ...]:
        """Every language as (code, its own name)."""
        return tuple(LANGUAGES.items())


def bare_shell(request: Request) -> Shell:
    """The frame of a page for nobody in particular: errors, and answers before anybody is known."""
    language = language_of(request)
    return Shell(language=language, path=path_of(request), nav=())


def path_of(request: Request) -> str:
    """The address of the page, without the word about what was done before."""
    kept = "&".join(part for part in request.url.query.split("&") if part and not part.startswith("done="))
    return f"{request.url.path}{'?' + kept if kept else ''}"[:MOST_PATH]


def toast_of(request: Request, language: str) -> str:
    """What `?done=` says was just done; only texts of ours are ever shown."""
    text = TOASTS.get(request.query_params.get("done", ""))
    return "" if text is None else translator(language).gettext(text)


def nav_of(language: str, path: str, places: Sequence[tuple[str, str]]) -> tuple[NavItem, ...]:
    """The places as items in the reader's language; the current one is the longest that the path begins with."""
    page = path.partition("?")[0].replace("/app/shops/", "/app/checkouts/", 1)  # a shop's pages belong to its checkouts
    fitting = [url for _, url in places if page == url or page.startswith(url + "/")]
    current = max(fitting, key=len, default="")
    return tuple(NavItem(translator(language).gettext(label), url, url == current) for label, url in places)
