"""A scripted shopper (or merchant): a small browser with cookies that follows redirects, clicks links and submits forms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

from connector.errors import ConnectorError, NotFound
from integrations.sandbox.mail_catcher import CaughtMail
from integrations.transport import Answer, Transport

MOST_REDIRECTS = 10
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Link:
    """An anchor: where it leads and what it says."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """A form with the values it would send."""

    action: str
    method: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows: the address it ended at, the status, and what can be clicked. `text` is the visible text."""

    url: str
    status: int
    html: str
    text: str
    links: tuple[Link, ...]
    forms: tuple[Form, ...]
    images: tuple[str, ...]


class Browser:
    """
    Opens pages as a person would.

    `browser_map` leads https origins of pretend stores to their loopback twins; what is not in it goes by
    `address_map` and `ca_pem` over https. Cookies are kept by host name, as browsers do. Raises ConnectorError
    (TransientError) if nothing answers.
    """

    def __init__(
        self, browser_map: Mapping[str, str] | None = None, address_map: Mapping[str, str] | None = None, ca_pem: Path | None = None
    ) -> None:
        self._browser_map = dict(browser_map or {})
        self._address_map = dict(address_map or {})
        self._ca_pem = ca_pem
        self._transport = Transport(self._address_map, ca_pem, is_closed_world=True)
        self._cookies: dict[str, dict[str, str]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def set_cookie(self, url: str, name: str, value: str) -> None:
        """Give the browser a cookie for the host of `url`, as if it had been there before."""
        self._cookies.setdefault(self._host(self._mapped(url)), {})[name] = value

    def open(self, url: str) -> Page:
        """Follow an address and its redirects to a page. Raises ConnectorError after ten redirects."""
        return self._visit("GET", url, b"")

    def click(self, page: Page, text: str) -> Page:
        """Follow the link, or submit the form, whose text contains `text` (letter case ignored). Raises NotFound."""
        for link in page.links:
            if text.lower() in link.text.lower():
                return self.open(urljoin(page.url, link.href))
        for form in page.forms:
            if text.lower() in form.fields.get("", "").lower():
                return self.submit(page, form)
        raise NotFound(f"the page has neither a link nor a button “{text}”")

    def submit(self, page: Page, form: Form | None = None, **values: str) -> Page:
        """
        Fill in `values` and send a form: the given one, else the first that has such fields. Raises NotFound if there is none.
        """
        chosen = form or next((one for one in page.forms if set(values) <= set(one.fields)), None)
        if chosen is None:
            raise NotFound("the page has no such form")
        fields = {name: value for name, value in chosen.fields.items() if name} | values
        target = urljoin(page.url, chosen.action)
        if chosen.method == "GET":
            return self.open(f"{target.partition('?')[0]}?{urlencode(fields)}")
        return self._visit("POST", target, urlencode(fields).encode())

    def open_mail_link(self, mail: CaughtMail, text: str = "") -> Page:
        """Open the first link of a mail's HTML part whose text contains `text`. Raises NotFound."""
        for link in mail_links(mail):
            if text.lower() in link.text.lower():
                return self.open(link.href)
        raise NotFound(f"the mail has no link “{text}”")

    def unsubscribe_one_click(self, mail: CaughtMail) -> int:
        """
        What a mail provider does for its "Unsubscribe" button (RFC 8058): one POST without cookies; returns the status.

        Raises NotFound if the mail does not offer it.
        """
        addresses = re.findall(r"<(https?://[^>]+)>", str(mail.message.get("List-Unsubscribe", "")))
        if not addresses or str(mail.message.get("List-Unsubscribe-Post", "")) != "List-Unsubscribe=One-Click":
            raise NotFound("the mail offers no one-click unsubscription")
        provider = Transport(self._address_map, self._ca_pem, is_closed_world=True)
        try:
            url = self._mapped(addresses[0])
            body = b"List-Unsubscribe=One-Click"
            return provider.send("browser", "unsubscribe", "POST", url, headers={"content-type": FORM_TYPE}, content=body).status
        finally:
            provider.close()

    def _visit(self, method: str, url: str, body: bytes) -> Page:
        here = self._mapped(url)
        for _ in range(MOST_REDIRECTS):
            answer = self._request(method, here, body)
            location = answer.headers.get("location")
            if answer.status not in {301, 302, 303, 307, 308} or not location:
                return read_page(here, answer.status, answer.body.decode("utf-8", "replace"))
            if answer.status not in {307, 308}:
                method, body = "GET", b""
            here = self._mapped(urljoin(here, location))
        raise ConnectorError(f"more than {MOST_REDIRECTS} redirects")

    def _request(self, method: str, url: str, body: bytes) -> Answer:
        headers = {"accept": "text/html,*/*;q=0.8", "user-agent": "Mozilla/5.0 (sandbox shopper)"}
        if method == "POST":
            headers["content-type"] = FORM_TYPE
        jar = self._cookies.setdefault(self._host(url), {})
        if jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        answer = self._transport.send("browser", "open", method, url, headers=headers, content=body if method == "POST" else None)
        self._keep_cookies(jar, answer.headers.get("set-cookie", ""))
        return answer

    def _keep_cookies(self, jar: dict[str, str], header: str) -> None:
        """Several cookies arrive joined by commas; a comma inside a date is not followed by `name=`."""
        for part in re.split(r",\s*(?=[^;,=\s]+=)", header):
            for name, morsel in SimpleCookie(part).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value

    def _mapped(self, url: str) -> str:
        return map_origin(url, self._browser_map)

    def _host(self, url: str) -> str:
        return urlsplit(url).hostname or ""


def map_origin(url: str, origins: Mapping[str, str]) -> str:
    """The address with its origin replaced, if it is one of `origins`."""
    for origin, local in origins.items():
        if url == origin or url.startswith((origin + "/", origin + "?")):
            return local + url[len(origin) :]
    return url


def mail_links(mail: CaughtMail) -> tuple[Link, ...]:
    """All links of a mail's HTML part in their order; an image's alternative text counts as text."""
    return read_page("", 200, mail.html).links


def read_page(url: str, status: int, html: str) -> Page:
    """What can be read and clicked in an HTML text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = re.sub(r"\s+", " ", "".join(reader.text)).strip()
    return Page(url, status, html, text, tuple(reader.links), tuple(reader.forms), tuple(reader.images))


@dataclass(slots=True)
class _OpenLink:
    href: str
    text: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects text, links, forms and images. A form's button text stands under the empty name."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.links: list[Link] = []
        self.forms: list[Form] = []
        self.images: list[str] = []
        self._link: _OpenLink | None = None
        self._hidden = 0
        self._in_button = False
        self._in_form = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in {"style", "script", "head"}:
            self._hidden += 1
        elif tag == "a" and values.get("href"):
            self._link = _OpenLink(values["href"])
        elif tag == "img":
            self.images.append(values.get("src", ""))
            self._say(values.get("alt", ""), shown=False)
        elif tag == "form":
            self._in_form = True
            self.forms.append(Form(values.get("action", ""), values.get("method", "get").upper(), {}))
        elif tag == "button":
            self._in_button = True
        elif self._in_form and tag in {"input", "select", "textarea"}:
            self._add_field(values)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"style", "script", "head"}:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "a" and self._link is not None:
            self.links.append(Link(self._link.href, " ".join("".join(self._link.text).split())))
            self._link = None
        elif tag == "button":
            self._in_button = False
        elif tag == "form":
            self._in_form = False
        self.text.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._say(data)

    def _say(self, words: str, shown: bool = True) -> None:
        if shown:
            self.text.append(words)
        if self._link is not None:
            self._link.text.append(words)
        if self._in_button and self._in_form:
            self.forms[-1].fields[""] = (self.forms[-1].fields.get("", "") + " " + words).strip()

    def _add_field(self, values: Mapping[str, str]) -> None:
        kind = values.get("type", "text")
        if kind == "submit":
            self.forms[-1].fields[""] = values.get("value", "")
        elif values.get("name") and (kind not in {"checkbox", "radio"} or "checked" in values):
            self.forms[-1].fields[values["name"]] = values.get("value", "on" if kind in {"checkbox", "radio"} else "")
