"""The load: wrk posts one signed Shopify checkout over and over, each time under a new webhook id."""

import base64
import hmac
import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import bodies

SHOP = "bench.myshopify.com"

# Braces are doubled since the scripts are format strings.
RESULT = """function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50": %.3f, "p99": %.3f}}\\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""

# The request is put together from two halves and a counter: formatting it anew would make wrk the bottleneck.
SCRIPT = (
    """
local head, tail, count = {head}, {tail}, 0
function request()
  count = count + 1
  return head .. string.format("%012d", count) .. tail
end
"""
    + RESULT
)


@dataclass(frozen=True)
class Round:
    """What one round measured; latencies in milliseconds, `broken` counts connections that failed or timed out."""

    requests: int
    seconds: float
    refused: int
    broken: int
    p50: float
    p99: float

    @property
    def acknowledged(self) -> int:
        """Requests that were answered with a 2xx."""
        return self.requests - self.refused

    @property
    def rate(self) -> float:
        """Acknowledged requests a second."""
        return self.acknowledged / self.seconds


def write_script(path: Path, secret: str, run: str) -> None:
    """Write the Lua script of one round; `run` makes its webhook ids differ from those of any other round."""
    body = bodies.checkout_body(3, bodies.SHIPPING, datetime(2026, 11, 21, 10, tzinfo=UTC))
    signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    head = (
        "POST /webhooks/shopify HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Shopify-Captain-Hook\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Shopify-Topic: checkouts/update\r\n"
        f"X-Shopify-Shop-Domain: {SHOP}\r\nX-Shopify-API-Version: 2026-10\r\nX-Shopify-Hmac-Sha256: {signature}\r\n"
        "X-Shopify-Triggered-At: 2026-11-21T15:05:00.123456789Z\r\nX-Shopify-Event-Id: 98880550-7158-44d4-b7cd-2c97c8a091b5\r\n"
        f"X-Shopify-Webhook-Id: {run}-"
    )
    path.write_text(SCRIPT.format(head=json.dumps(head), tail=json.dumps("\r\n\r\n" + body.decode())))


def run_wrk(script: Path, port: int, connections: int, seconds: float) -> Round:
    """One round. Raises RuntimeError if wrk fails or reports nothing."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(script), f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return Round(**json.loads(line.removeprefix("RESULT ")))
    raise RuntimeError(f"wrk failed: {done.stdout} {done.stderr}")
