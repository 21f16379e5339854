"""How processes leave: politely, in time, and with exit code 0."""

import signal
import threading
import time
from pathlib import Path

import pytest

from connector.web.departure import LONGEST_SECONDS, Departure
from tests.valkey import free_port, valkey
from tests.webhooks.running import Running, head, read_reply, running, shopify_headers, started, status_of, wait_until

BODY = b'{"id": 1}'


@pytest.mark.spec("RL-149")
def test_a_process_that_was_told_to_end_serves_on_as_not_ready_and_loses_nobody(database_url: str, tmp_path: Path) -> None:
    with running(database_url, tmp_path, DRAIN_SECONDS="2") as web:
        statuses: list[int] = []
        ended = threading.Event()

        def balance() -> None:
            """Deliver until the process says that it leaves, as a balancer that asks every 0.2 s would."""
            asked = 0.0
            while not ended.is_set():
                if time.monotonic() - asked > 0.2:
                    asked = time.monotonic()
                    if status_of(web.port, "/readyz") != 200:
                        return
                statuses.append(web.request("POST", "/webhooks/shopify", shopify_headers(BODY), BODY).status)

        senders = [threading.Thread(target=balance, daemon=True) for _ in range(4)]
        for sender in senders:
            sender.start()
        time.sleep(1)
        with web.connect() as kept:
            kept.sendall(head("GET", "/livez", {}))
            assert read_reply(kept, time.monotonic()).headers.get("connection") != "close"
            began = time.monotonic()
            web.process.send_signal(signal.SIGTERM)
            wait_until(lambda: status_of(web.port, "/readyz") == 503, web.process, 2)
            assert time.monotonic() - began < 1
            kept.sendall(head("GET", "/livez", {}))
            last = read_reply(kept, time.monotonic(), ends=True)
            assert (last.status, last.headers["connection"], last.closed) == (200, "close", True)
        for sender in senders:
            sender.join(5)
        ended.set()
        assert web.process.wait(30) == 0
        assert 2.0 <= time.monotonic() - began < 30
        assert len(statuses) > 20
        assert set(statuses) == {200}
        assert web.query("select count(*) from deliveries") == [(len(statuses),)]


def test_told_twice_it_does_not_wait(database_url: str, tmp_path: Path) -> None:
    with running(database_url, tmp_path, DRAIN_SECONDS="10") as web:
        web.process.send_signal(signal.SIGTERM)
        wait_until(lambda: status_of(web.port, "/readyz") == 503, web.process, 2)
        began = time.monotonic()
        assert web.terminate() < 5
        assert web.process.returncode == 0
        assert time.monotonic() - began < 5


def test_from_the_keyboard_it_ends_at_once(database_url: str, tmp_path: Path) -> None:
    with running(database_url, tmp_path, DRAIN_SECONDS="10") as web:
        began = time.monotonic()
        web.process.send_signal(signal.SIGINT)
        assert web.process.wait(10) == 130
        assert time.monotonic() - began < 8


def test_slow_senders_do_not_hold_up_the_end(database_url: str, tmp_path: Path) -> None:
    with running(database_url, tmp_path) as web:
        in_head, in_body, idle = web.connect(20), web.connect(20), web.connect(20)
        in_head.sendall(b"POST /webhooks/shopify HTTP/1.1\r\nHo")
        in_body.sendall(head("POST", "/webhooks/shopify", {**shopify_headers(BODY), "Content-Length": "9"}) + BODY[:3])
        idle.sendall(head("GET", "/livez", {}))
        assert read_reply(idle, time.monotonic()).status == 200
        began = time.monotonic()
        web.process.send_signal(signal.SIGTERM)
        time.sleep(1.0)
        in_body.sendall(BODY[3:])
        assert read_reply(in_body, time.monotonic()).status == 200, "what had begun is finished"
        assert web.process.wait(30) == 0
        assert time.monotonic() - began < 15
        for line in (in_head, in_body, idle):
            line.close()


@pytest.mark.spec("RL-149")
def test_workers_and_schedulers_end_in_time_and_show_their_figures_until_then(database_url: str, tmp_path: Path) -> None:
    with running(database_url, tmp_path) as web, valkey(tmp_path) as redis_url:
        for name in ("worker", "scheduler"):
            port = free_port()
            with started(web.url, tmp_path, name, REDIS_URL=redis_url, METRICS_PORT=str(port)) as (_, process, log):
                side = Running(web.url, port, process, log, (web.shopify, web.woo, web.other_woo))
                wait_until(lambda port=port: status_of(port, "/livez") == 200, process)  # type: ignore[misc]
                time.sleep(1.0)
                said = side.request("GET", "/metrics").body.decode()
                assert "connector_database_up 1" in said
                assert ("connector_last_sweep_success_timestamp_seconds" in said) == (name == "scheduler")
                assert side.request("GET", "/").status == 404
                took = side.terminate()
                assert process.returncode == 0
                assert took < 30


def test_leaving_has_an_end() -> None:
    departure = Departure()
    assert (departure.has_begun, departure.elapsed(), departure.left(10)) == (False, 0.0, 10)
    departure.begin()
    departure.wait()
    departure.begin()
    assert departure.has_begun
    assert 0 <= departure.elapsed() < 1
    assert departure.left(10) == 10
    assert LONGEST_SECONDS - 1 < departure.left(100) <= LONGEST_SECONDS
    departure._at -= 100
    assert departure.left(10) == 0.5
