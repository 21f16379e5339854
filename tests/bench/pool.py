"""
A file of signed requests for distinct bodies, and how wrk sends them.

A request is stored but for its beginning: method, path and webhook id come first, so that every round sends the same bodies
as new deliveries. Each entry is its length in eight digits, a line end, and the bytes.
"""

import base64
import hmac
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.bench.bodies import Post
from tests.bench.load import RESULT

PREFIX = 9
START = "POST /webhooks/shopify HTTP/1.1\r\nX-Shopify-Webhook-Id: "
HEAD = (
    "\r\nHost: 127.0.0.1\r\nUser-Agent: Shopify-Captain-Hook\r\nAccept: */*\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\nX-Shopify-Topic: {topic}\r\nX-Shopify-Shop-Domain: {domain}\r\nX-Shopify-API-Version: 2026-10\r\n"
    "X-Shopify-Hmac-Sha256: {signature}\r\nX-Shopify-Triggered-At: 2026-11-21T15:05:00.123456789Z\r\n"
    "X-Shopify-Event-Id: 98880550-7158-44d4-b7cd-2c97c8a091b5\r\n\r\n"
)

# wrk reads the file before its clock starts.
SCRIPT = (
    """
local pool, count, place = {{}}, 0, {first}
function init(args)
  local file = assert(io.open({path}, "rb"))
  while true do
    local length = file:read({prefix})
    if not length then break end
    pool[#pool + 1] = file:read(tonumber(length))
  end
  file:close()
end
function request()
  count = count + 1
  if place > #pool then place = {first} end
  local rest = pool[place]
  place = place + {step}
  return {start} .. string.format("%012d", count) .. rest
end
"""
    + RESULT
)


def write_pool(path: Path, secret: str, posts: Iterable[Post], domains: Sequence[str]) -> list[tuple[int, int]]:
    """Write the requests for `posts`; answers (number, version) of each."""
    wrote = []
    with path.open("wb") as file:
        for post in posts:
            signature = base64.b64encode(hmac.digest(secret.encode(), post.body, "sha256")).decode()
            head = HEAD.format(length=len(post.body), topic=post.topic, domain=domains[post.shop], signature=signature)
            rest = head.encode() + post.body
            file.write(b"%08d\n" % len(rest) + rest)
            wrote.append((post.number, post.version))
        # What was still on its way to the disk would slow the database's own writing while something is measured.
        file.flush()
        os.fsync(file.fileno())
    return wrote


def read_pool(path: Path) -> Iterator[bytes]:
    """The stored parts of the requests, in order."""
    with path.open("rb") as file:
        while length := file.read(PREFIX):
            yield file.read(int(length))


def write_pool_script(path: Path, pool: Path, mark: str, *, first: int = 1, step: int = 1) -> None:
    """The Lua script of one round that sends every `step`-th request; `mark` makes its webhook ids its own."""
    start = json.dumps(f"{START}{mark}-{first}-")
    path.write_text(SCRIPT.format(path=json.dumps(str(pool)), first=first, step=step, prefix=PREFIX, start=start))
