"""
Recorded deliveries on disk, in the formats we understand.

- A WooCommerce exchange: JSON with `request.headers` (pairs), `request.body` (exact text), `secret`, `topic`. Sent byte for byte.
- A Shopify body `webhook.<name>.json`: its topic stands in the folder's `index.json`; headers in `webhook.signed_examples.json`
  belong to it if that names it, else we sign it with the sandbox's secret.
- Our own payloads, in a folder named after the platform: `<topic with _ for . and />__<case>.json`.

Everything else (exchanges with an API, indexes, texts) is not a delivery.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACE = uuid.UUID("6f0e4c52-6d0b-5a0e-9a57-1f5f6d2f8c11")
OWN_TOPICS = {
    "shopify": ("app", "bulk_operations", "carts", "checkouts", "customers", "discounts", "orders", "products", "shop"),
    "woocommerce": ("action", "coupon", "customer", "order", "product"),
}
HOP_BY_HOP = ("host", "connection", "content-length", "accept-encoding")
SEPARATOR = {"shopify": "/", "woocommerce": "."}


@dataclass(frozen=True, slots=True)
class Recorded:
    """
    One recorded request. `headers` empty: it was recorded without any and is to be signed by us.

    `source`: the store it came from, as far as the file says. `secret`: what signed it, if the file says.
    """

    path: Path
    platform: str
    topic: str
    body: bytes
    headers: Mapping[str, str]
    secret: str | None = None
    source: str | None = None

    @property
    def is_ping(self) -> bool:
        """WooCommerce's unsigned greeting."""
        return self.topic == "ping"

    @property
    def made_up_id(self) -> str:
        """An id that depends on file name and bytes alone, so that feeding the file again repeats the delivery."""
        return str(uuid.uuid5(NAMESPACE, f"{self.path.parent.name}/{self.path.name}:{hashlib.sha256(self.body).hexdigest()}"))


@dataclass(frozen=True, slots=True)
class NotADelivery:
    """A file that holds something else."""

    path: Path


def read(paths: list[Path]) -> Iterator[Recorded | NotADelivery]:
    """Every file below `paths`, in the order of their names, as what it is."""
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            yield _read_file(file)


def _read_file(path: Path) -> Recorded | NotADelivery:
    if path.suffix != ".json":
        return NotADelivery(path)
    raw = path.read_bytes()
    if path.name.startswith("webhook.") and path.name != "webhook.signed_examples.json":
        return _shopify_body(path, raw)
    if "__" in path.name and path.parent.name in OWN_TOPICS:
        return _own_payload(path, raw)
    try:
        content = json.loads(raw)
    except ValueError:
        return NotADelivery(path)
    request = content.get("request") if isinstance(content, dict) else None
    if isinstance(request, dict) and "topic" in content and isinstance(request.get("body"), str):
        return _woocommerce_exchange(path, content, request)
    return NotADelivery(path)


def _woocommerce_exchange(path: Path, content: Mapping[str, Any], request: Mapping[str, Any]) -> Recorded:
    headers = {str(name): str(value) for name, value in request["headers"]}
    kept = {
        name: value for name, value in headers.items() if name.lower() not in ("host", "connection", "content-length", "accept-encoding")
    }
    source = next((value for name, value in headers.items() if name.lower() == "x-wc-webhook-source"), None)
    return Recorded(path, "woocommerce", content["topic"], request["body"].encode(), kept, content.get("secret"), source)


def _shopify_body(path: Path, raw: bytes) -> Recorded | NotADelivery:
    index = _neighbour(path, "index.json")
    entry = next((e for e in index if e.get("file") == path.name), None) if isinstance(index, list) else None
    if entry is None or "topic" not in entry:
        return NotADelivery(path)
    signed = _neighbour(path, "webhook.signed_examples.json")
    examples = signed.get("examples", []) if isinstance(signed, dict) else []
    example = next((e for e in examples if e.get("body_file") == path.name), None)
    if example is None:
        return Recorded(path, "shopify", entry["topic"], raw, {})
    return Recorded(
        path, "shopify", entry["topic"], raw, example["headers"], example["secret"], example["headers"].get("X-Shopify-Shop-Domain")
    )


def _own_payload(path: Path, raw: bytes) -> Recorded | NotADelivery:
    platform, name = path.parent.name, path.name.split("__")[0]
    family = next((f for f in OWN_TOPICS[platform] if name.startswith(f"{f}_")), None)
    if family is None:
        return NotADelivery(path)
    return Recorded(path, platform, f"{family}{SEPARATOR[platform]}{name[len(family) + 1 :]}", raw, {})


def _neighbour(path: Path, name: str) -> Any:
    try:
        return json.loads((path.parent / name).read_bytes())
    except (OSError, ValueError):
        return None
