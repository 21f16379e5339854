"""
Pages with many rows behind them: how long until their first byte, beside the same page of a shop that holds nothing.

One reader, one request after the other, pages in turn; the process, the database and the reader share the machine.
"""

import secrets
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection

from connector.rules.permissions import Role
from connector.store import members, sessions
from connector.store.db import Database
from connector.store.sealed import open_vault
from connector.web import cookies
from tests.bench import processes
from tests.bench.ground import Ground
from tests.bench.report import Figure, Findings, percentile

ROWS = 50_000
ROUNDS, WARM_UP = 60, 5
MOST_P95_MS = 200.0
EMPTY = "the list of an empty shop"
SECURE_PREFIX = "__Host-"


@dataclass(frozen=True, slots=True)
class Read:
    """One page that was read: milliseconds until its first byte, and how much came."""

    first_byte_ms: float
    size: int


def measure(ground: Ground, rounds: int | None) -> Findings:
    """Fill a shop, read every page in turn, and compare."""
    ground.empty()
    fill(ground)
    paths, cookie = pages_of(ground), sign_in(ground)
    times: dict[str, list[float]] = {name: [] for name in paths}
    with processes.web(ground) as port:
        for number in range(WARM_UP + (rounds or ROUNDS)):
            for name, path in paths.items():
                first_byte = read(port, path, cookie).first_byte_ms
                if number >= WARM_UP:
                    times[name].append(first_byte)
    return to_findings(times)


def fill(ground: Ground) -> None:
    """Make ROWS checkouts of the first shop, spread over 90 days, with what belongs to them; the second shop stays empty."""
    shop = ground.shop_ids[0]
    for statement in _FILL:
        ground.connection.execute(statement.encode(), {"shop": shop, "rows": ROWS} if "%(" in statement else None)
    ground.connection.execute(
        b"update shops set account_id = (select account_id from shops where id = %s) where id = %s", [shop, ground.shop_ids[1]]
    )
    for table in ("checkouts", "orders", "decisions", "messages", "enrollments", "deliveries"):
        ground.connection.execute(f"vacuum analyze {table}".encode())


def pages_of(ground: Ground) -> Mapping[str, str]:
    """What is read, by name: pages of the full shop, and last the list of the empty one."""
    full, empty = (_one(ground, f"select public_id from shops where id = {shop}") for shop in ground.shop_ids[:2])
    middle = _one(ground, f"select public_id from checkouts order by created_at offset {ROWS // 2} limit 1")
    here = f"/app/shops/{full}/checkouts"
    return {
        "the list": here,
        "the list, in the middle": f"{here}?before={middle}",
        "the list, one state": f"{here}?state=recovered",
        "the list, a name that nobody has": f"{here}?q=zzz",
        "the list, a state that none has": f"{here}?state=cart",
        "the dashboard, 90 days": "/app?days=90",
        "one checkout": f"/app/checkouts/{middle}",
        EMPTY: f"/app/shops/{empty}/checkouts",
    }


def sign_in(ground: Ground) -> str:
    """A member of the account; returns the cookie header of their browser."""
    vault, token = open_vault(ground.settings), secrets.token_urlsafe(32)
    account = int(_one(ground, f"select account_id from shops where id = {ground.shop_ids[0]}"))
    with closing(Database(ground.url)) as database, database.system_transaction("sign in for a benchmark") as session:
        row = members.add(session, account, f"reader-{token[:8].lower().strip('-_')}@example.org", Role.OWNER)
        sessions.begin(session, vault, token, member_id=row.id)
    return f"{SECURE_PREFIX}{cookies.SESSION}={token}"


def read(port: int, path: str, cookie: str) -> Read:
    """One page. Raises RuntimeError for anything but a page."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", path, headers={"cookie": cookie, "host": "127.0.0.1"})
        answer = connection.getresponse()
        first_byte = (time.perf_counter() - began) * 1000
        size = len(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: this measures nothing")
    return Read(first_byte, size)


def to_findings(times: Mapping[str, list[float]]) -> Findings:
    """The table, a figure for each page beside the empty one, and whether each is in time."""
    findings = Findings(f"Pages of a shop with {ROWS:,} checkouts: milliseconds until the first byte, one reader")
    findings.table.append(f"{'page':36} {'p50':>8} {'p95':>8} {'× empty':>8}")
    empty = percentile(times[EMPTY], 0.95)
    for name, values in times.items():
        median, worst = percentile(values, 0.5), percentile(values, 0.95)
        findings.table.append(f"{name:36} {median:8.1f} {worst:8.1f} {worst / empty:8.2f}")
        findings.figures.append(
            Figure(f"pages: {name}", round(worst, 1), "ms p95", {} if name == EMPTY else {EMPTY: round(worst / empty, 2)})
        )
        if name != EMPTY:
            findings.at_most(worst, "ms p95", name, MOST_P95_MS)
    return findings


def _one(ground: Ground, query: str) -> str:
    row = ground.connection.execute(query.encode()).fetchone()
    assert row is not None
    return str(row[0])


# Three of four are abandoned, of those a fifth is won back and every third got a mail.
_FILL = (
    """
    insert into checkouts (public_id, shop_id, platform_id, stage, token, email, email_norm, first_name, last_name, number, currency,
        total, taxes_included, accepts_email, accepts_sms, line_count, recovery_url, created_at, last_activity_at, abandoned_at,
        source_version, source_triggered_at, source_progress, source_digest)
    select 'chk_' || gen_random_uuid(), %(shop)s, 'tok-' || n, 'checkout', 'tok-' || n, 'p' || n || '@example.org',
        'p' || n || '@example.org', 'Camille', 'Martin ' || n, '#' || n, 'EUR', 20 + n %% 300, true, false, false, 2,
        'https://bench.example/' || n, b.began, b.began, case when n %% 4 <> 0 then b.began + interval '1 hour' end,
        b.began, b.began, 0, 'd'
    from generate_series(1, %(rows)s) n
    cross join lateral (select now() - interval '2 hours' - n * interval '2.5 minutes' began) b
    """,
    """
    insert into orders (public_id, shop_id, platform_id, number, payment_state, checkout_token, currency, total, taxes_included, is_test,
        created_at, placed_at, source_version, source_triggered_at, source_progress, source_digest)
    select 'ord_' || gen_random_uuid(), shop_id, platform_id, number, 'paid', token, currency, total, true, false,
        abandoned_at + interval '1 hour', abandoned_at + interval '1 hour', created_at, created_at, 0, 'd'
    from checkouts where id %% 5 = 0 and abandoned_at is not null and shop_id = %(shop)s
    """,
    """
    update checkouts c set converted_order_id = o.id, converted_at = o.placed_at, converted_by = 'checkout_token'
    from orders o where o.shop_id = c.shop_id and o.checkout_token = c.token
    """,
    """
    insert into decisions (checkout_id, automation_id, shop_id, reason, decided_at, history)
    select c.id, a.id, c.shop_id, 'enrolled', c.abandoned_at,
        jsonb_build_array(jsonb_build_object('reason', 'enrolled', 'at', c.abandoned_at))
    from checkouts c join automations a on a.shop_id = c.shop_id where c.abandoned_at is not null
    """,
    """
    insert into enrollments (public_id, shop_id, checkout_id, automation_id, enrolled_at)
    select 'enr_' || gen_random_uuid(), c.shop_id, c.id, a.id, c.abandoned_at
    from checkouts c join automations a on a.shop_id = c.shop_id where c.abandoned_at is not null and c.id %% 3 = 0
    """.replace("%%", "%"),
    """
    insert into messages (public_id, shop_id, enrollment_id, checkout_id, automation_id, step, channel, address, state, queued_at, due_at,
        handed_over_at, attempts, link_token, unsubscribe_token)
    select 'msg_' || gen_random_uuid(), shop_id, id, checkout_id, automation_id, 1, 'email', 'p@example.org', 'sent', enrolled_at,
        enrolled_at, enrolled_at, 1, gen_random_uuid()::text, gen_random_uuid()::text
    from enrollments
    """,
    """
    insert into deliveries (key, shop_id, platform, topic, state, received_at, received_on)
    select sha256(n::text::bytea), %(shop)s, 'shopify', 'checkouts/update', 'applied', now() - n * interval '2 minutes', current_date
    from generate_series(1, %(rows)s) n
    """,
)
