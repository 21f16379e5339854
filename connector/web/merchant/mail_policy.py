"""What a browser may do with a mail that is shown in a frame: show it, with exactly the styles it came with, and nothing else."""

import base64
import hashlib
from html.parser import HTMLParser


def mail_policy(html: str, *, is_sandbox: bool) -> str:
    """
    The Content-Security-Policy of one mail: no scripts, no forms, no frames, pictures over https.

    Mails carry their styles in attributes. Each of those, and each style element, is allowed by its own hash, so that nothing has to
    be allowed by a general word.
    """
    hashes = list(dict.fromkeys(f"'sha256-{_hash(style)}'" for style in _styles(html)))
    styles = " ".join(["'unsafe-hashes'", *hashes]) if hashes else "'none'"
    pictures = "https: http://127.0.0.1:*" if is_sandbox else "https:"
    return (
        f"default-src 'none'; style-src {styles}; img-src {pictures}; form-action 'none'; frame-ancestors 'self'; base-uri 'none'; sandbox"
    )


class _Styles(HTMLParser):
    """Collects the text of every style attribute and style element, as a browser would read it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name == "style" and value]
        self._is_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if self._is_style:
            self.found.append(data)


def _styles(html: str) -> list[str]:
    # Browsers turn line ends into \n before they read anything.
    parser = _Styles()
    parser.feed(html.replace("\r\n", "\n").replace("\r", "\n"))
    parser.close()
    return parser.found


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
