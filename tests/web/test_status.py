"""Which parts work: every fault is made for real, and told in plain words to everybody."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from connector.store.db import Database
from connector.store.incidents import Lateness, MailSigns, PlatformSigns, read_lateness, read_mail, read_platforms
from connector.web.composition import Composition
from connector.web.shell import Banner
from connector.web.status import PAUSES, banner_for, status_page, troubles
from connector.web.watching import Fault, Trouble, Watch, judge
from tests.conftest import TestShop, install
from tests.factories import make_line
from tests.web.conftest import Seed, abandon, browser, run, scalar, turn_on

ON_TIME = Lateness(0, 0, 0)
NO_MAIL = MailSigns(0, 0, 0)
Fails = Callable[[Composition], set[Trouble]]


@pytest.fixture
def found() -> Fails:
    """What is wrong, looked at anew."""

    def look(parts: Composition) -> set[Trouble]:
        answer: tuple[Trouble, ...] = ()
        watch = Watch(kept_seconds=0)
        for _ in range(50):  # a look may take longer than we wait for it
            answer = watch.troubles(parts.db, parts.settings, PAUSES)
            if watch._answered_at is not None:
                break
        return set(answer)

    return look


def queue_message(parts: Composition, shop: TestShop, seed: Seed, name: str = "t1") -> None:
    """One queued reminder."""
    seed(shop, minutes=90, platform_id=name, token=name, email=f"{name}@example.org")
    abandon(parts, shop)


# ---------------------------------------------------------------- what signs mean


@pytest.mark.parametrize(
    ("late", "mail", "platforms", "faults"),
    [
        (ON_TIME, NO_MAIL, {}, []),
        (Lateness(300, 0, 0), NO_MAIL, {}, []),
        (Lateness(301, 0, 0), NO_MAIL, {}, [Fault.QUEUE_LATE]),
        (Lateness(0, 301, 0), NO_MAIL, {}, [Fault.QUEUE_LATE]),
        (Lateness(0, 0, 301), NO_MAIL, {}, [Fault.QUEUE_LATE]),
        (Lateness(0, 0, 601), NO_MAIL, {}, [Fault.QUEUE_LATE, Fault.MAIL_LATE]),
        (ON_TIME, MailSigns(600, 0, 0), {}, []),
        (ON_TIME, MailSigns(601, 0, 0), {}, [Fault.MAIL_LATE]),
        (ON_TIME, MailSigns(0, 0, 2), {}, []),
        (ON_TIME, MailSigns(0, 2, 3), {}, [Fault.MAIL_REFUSED]),
        (ON_TIME, MailSigns(0, 3, 3), {}, []),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=15, lost=3)}, [Fault.PLATFORM_SIGN_INS]),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=16, lost=3)}, []),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=2, lost=2)}, []),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=9, asking=6, unread=3)}, [Fault.PLATFORM_READS]),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=9, asking=7, unread=3)}, []),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=15, silent=3)}, [Fault.PLATFORM_SILENT]),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=16, silent=3)}, []),
        (ON_TIME, NO_MAIL, {"shopify": PlatformSigns(shops=2, silent=2)}, []),
    ],
)
def test_signs_are_judged(late: Lateness, mail: MailSigns, platforms: dict[str, PlatformSigns], faults: list[Fault]) -> None:
    assert [one.fault for one in judge(late, mail, platforms)] == faults


# ---------------------------------------------------------------- real faults


def test_all_is_well_with_an_idle_installation(parts: Composition, found: Fails, shopify_shop: TestShop) -> None:
    assert found(parts) == set()
    assert banner_for(parts, "en") is None
    assert {part.state for part in status_page(parts, "en").parts} == {"well"}


def test_deliveries_that_wait_are_noticed(parts: Composition, found: Fails, shopify_shop: TestShop) -> None:
    keep = """
        insert into deliveries (key, shop_id, platform, topic, received_at, received_on)
        values ('\\x01', :shop, 'shopify', 'orders/create', app_now() - make_interval(mins => :minutes), now()::date)
    """
    run(parts, keep, shop=shopify_shop.id, minutes=4)
    assert found(parts) == set()
    run(parts, "update deliveries set received_at = app_now() - interval '6 minutes'")
    assert found(parts) == {Trouble(Fault.QUEUE_LATE)}
    run(parts, "update deliveries set state = 'quarantined'")
    assert found(parts) == set()


def test_due_checkouts_that_nobody_looks_at_are_noticed(parts: Composition, found: Fails, shopify_shop: TestShop, seed: Seed) -> None:
    seed(shopify_shop, minutes=64)
    assert found(parts) == set()
    seed(shopify_shop, minutes=66, platform_id="t2", token="t2")
    assert found(parts) == {Trouble(Fault.QUEUE_LATE)}


def test_reminders_that_do_not_leave_are_noticed(parts: Composition, found: Fails, shopify_shop: TestShop, seed: Seed) -> None:
    turn_on(parts, shopify_shop)
    queue_message(parts, shopify_shop, seed)
    assert found(parts) == set(), "it was due half an hour ago, but known only now"
    run(parts, "update messages set queued_at = app_now() - interval '9 minutes'")
    assert found(parts) == {Trouble(Fault.QUEUE_LATE)}
    run(parts, "update messages set queued_at = app_now() - interval '11 minutes'")
    assert found(parts) == {Trouble(Fault.QUEUE_LATE), Trouble(Fault.MAIL_LATE)}


def test_mails_of_our_own_that_do_not_leave_are_noticed(parts: Composition, found: Fails) -> None:
    mail = """
        insert into system_mails (public_id, kind, state, queued_at, due_at)
        values ('sml_1', 'sign_in', 'queued', app_now() - interval '11 minutes', app_now() - interval '11 minutes')
    """
    run(parts, mail)
    assert found(parts) == {Trouble(Fault.MAIL_LATE)}
    run(parts, "update system_mails set state = 'sent', handed_over_at = app_now()")
    assert found(parts) == set()


def test_a_mail_server_that_refuses_is_noticed(parts: Composition, found: Fails, shopify_shop: TestShop, seed: Seed) -> None:
    """Each refusal puts a mail off by its own pause; what was refused an hour ago says nothing about now."""
    turn_on(parts, shopify_shop)
    for number in range(3):
        queue_message(parts, shopify_shop, seed, f"t{number}")
    run(parts, "update messages set reason = 'retrying', attempts = 4, due_at = app_now() + interval '59 minutes'")
    assert found(parts) == {Trouble(Fault.MAIL_REFUSED)}
    run(parts, "update messages set due_at = app_now() + interval '40 minutes'")
    assert found(parts) == set()
    run(parts, "update messages set attempts = 1, due_at = app_now() + interval '10 seconds'")
    assert found(parts) == {Trouble(Fault.MAIL_REFUSED)}
    sent = """
        insert into system_mails (public_id, kind, state, attempts, queued_at, due_at, handed_over_at)
        select 'sml_' || n, 'sign_in', 'sent', 1, app_now(), app_now(), app_now() - make_interval(mins => :minutes)
        from generate_series(1, 4) n
    """
    run(parts, sent, minutes=16)
    assert found(parts) == {Trouble(Fault.MAIL_REFUSED)}
    run(parts, "update system_mails set handed_over_at = app_now() - interval '14 minutes'")
    assert found(parts) == set()


def test_refused_mails_of_our_own_count_by_their_own_pauses(parts: Composition, found: Fails) -> None:
    refused = """
        insert into system_mails (public_id, kind, state, attempts, queued_at, due_at)
        select 'sml_' || n, 'sign_in', 'queued', 6, app_now() - interval '1 hour', app_now() + interval '50 minutes'
        from generate_series(1, 3) n
    """
    run(parts, refused)
    assert found(parts) == {Trouble(Fault.MAIL_REFUSED)}, "the sixth pause is an hour: it was ten minutes ago"
    run(parts, "update system_mails set due_at = app_now() + interval '40 minutes'")
    assert found(parts) == set()


def test_many_stores_that_shut_us_out_at_once_are_noticed(parts: Composition, found: Fails) -> None:
    for number in range(4):
        install(parts.db, parts.services.vault, "shopify", f"s{number}.myshopify.com", f"S{number}")
    told = """
        insert into notices (public_id, account_id, shop_id, cause, cause_key, at)
        select 'ntc_' || id, account_id, id, 'needs_sign_in', public_id, app_now() - make_interval(mins => :minutes)
        from shops where id <= (select min(id) + 2 from shops)
    """
    run(parts, told, minutes=59)
    assert found(parts) == {Trouble(Fault.PLATFORM_SIGN_INS, "shopify")}
    run(parts, "update notices set at = app_now() - interval '61 minutes'")
    assert found(parts) == set()
    run(parts, "update notices set at = app_now(), settled_at = app_now()")
    assert found(parts) == set()


def test_a_platform_that_tells_no_products_is_noticed(parts: Composition, found: Fails, seed: Seed) -> None:
    made = [install(parts.db, parts.services.vault, "woocommerce", f"s{number}.test", f"S{number}") for number in range(3)]
    for shop in made:
        seed(shop, minutes=30, lines=(make_line("101"),))
    assert found(parts) == {Trouble(Fault.PLATFORM_READS, "woocommerce")}
    product = """
        insert into products (public_id, shop_id, platform_id, title, read_at, source_version, is_deleted)
        values ('prd_1', :shop, 'p101', 'Bougie', now(), now(), false)
    """
    run(parts, product, shop=made[0].id)
    assert found(parts) == set()


def test_stores_that_keep_silent_are_noticed(parts: Composition, found: Fails) -> None:
    made = [install(parts.db, parts.services.vault, "shopify", f"s{number}.myshopify.com", f"S{number}") for number in range(3)]
    silence = """
        insert into topic_health (shop_id, topic, silent_since, checked_at)
        select :shop, topic, now(), now() from unnest(array['orders/create', 'orders/updated']) topic
    """
    for shop in made:
        run(parts, silence, shop=shop.id)
    assert found(parts) == {Trouble(Fault.PLATFORM_SILENT, "shopify")}
    run(parts, "update topic_health set silent_since = null where shop_id = :shop", shop=made[0].id)
    assert found(parts) == set()


def test_a_full_disk_is_noticed(make_parts: Callable[..., Composition], found: Fails) -> None:
    assert found(make_parts(min_free_bytes=2**62)) == {Trouble(Fault.DISK_FULL)}


def test_a_database_that_is_away_is_noticed_and_waited_for_by_nobody(parts: Composition) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    watch = Watch()
    began = time.monotonic()
    while watch.troubles(away, parts.settings, PAUSES) != (Trouble(Fault.DATABASE_SILENT),):
        assert time.monotonic() - began < 5
    away.close()


def test_a_look_that_does_not_end_says_that_the_database_is_silent(parts: Composition, database_url: str) -> None:
    """All connections are taken, as by a server that answers nothing: whoever asks hears something in a fifth of a second."""
    taken = Database(database_url, pool_size=1)
    watch, held = Watch(), threading.Event()

    def hold() -> None:
        with taken.engine.connect():
            held.wait(20)

    holders = [threading.Thread(target=hold) for _ in range(taken.engine.pool.size() + taken.engine.pool._max_overflow)]  # type: ignore[attr-defined]
    for one in holders:
        one.start()
    try:
        began, answers = time.monotonic(), []
        while time.monotonic() - began < 4:
            asked = time.monotonic()
            answers.append(watch.troubles(taken, parts.settings, PAUSES))
            assert time.monotonic() - asked < 1
        assert answers[0] == ()
        assert answers[-1] == (Trouble(Fault.DATABASE_SILENT),)
    finally:
        held.set()
        for one in holders:
            one.join()
        until = time.monotonic() + 10
        while watch._ended is not None and time.monotonic() < until:
            time.sleep(0.02)
        taken.close()
    assert watch._answer == (), "it answers again"


def test_a_look_is_kept_for_a_while_however_many_ask(parts: Composition, shopify_shop: TestShop) -> None:
    assert troubles(parts) == ()
    until = time.monotonic() + 5
    while parts.watch._answered_at is None and time.monotonic() < until:
        troubles(parts)
    first = parts.watch._answered_at
    for _ in range(200):
        troubles(parts)
    assert parts.watch._answered_at == first


def test_signs_are_read_without_reading_tables(db: Database, shopify_shop: TestShop) -> None:
    """50,000 sent reminders and as many checkouts: a look takes a few milliseconds."""
    fill = """
        insert into checkouts (public_id, shop_id, platform_id, stage, currency, total, created_at, source_version, source_triggered_at,
            source_digest, taxes_included, accepts_email, accepts_sms, source_progress, due_at, last_activity_at)
        select 'chk_' || n, :shop, 'p' || n, 'checkout', 'EUR', 1, now(), now(), now(), 'd', false, false, false, 0,
            now() + interval '1 hour', now() from generate_series(1, 50000) n
    """
    with db.engine.begin() as connection:
        connection.exec_driver_sql(fill.replace(":shop", str(shopify_shop.id)))
        connection.exec_driver_sql("analyze checkouts")
    with db.system_transaction("signs in a test") as session:
        read_lateness(session), read_mail(session, PAUSES), read_platforms(session)
        began = time.monotonic()
        for _ in range(5):
            read_lateness(session), read_mail(session, PAUSES), read_platforms(session)
        assert (time.monotonic() - began) / 5 < 0.5


# ---------------------------------------------------------------- what people read


@pytest.mark.spec("SQ-22")
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_has_a_banner_that_leads_to_the_status_page(
    make_parts: Callable[..., Composition], client: TestClient, language: str
) -> None:
    headers = {"accept-language": language}
    assert 'class="banner"' not in client.get("/sign-in", headers=headers).text
    with browser(make_parts(min_free_bytes=2**62)) as degraded:
        page = degraded.get("/sign-in", headers=headers).text
        for _ in range(20):
            if 'class="banner"' in page:
                break
            page = degraded.get("/sign-in", headers=headers).text
    words = {"en": "Our storage is nearly full.", "fr": "Notre stockage est presque plein."}
    assert words[language] in page
    assert '<a href="/status">' in page


def test_several_faults_are_told_as_several(parts: Composition) -> None:
    watch = Watch()
    watch._answer, watch._answered_at = (Trouble(Fault.QUEUE_LATE), Trouble(Fault.PLATFORM_READS, "shopify")), time.monotonic()
    degraded = replace(parts, watch=watch)
    assert banner_for(degraded, "en") == Banner("Several parts do not work as they should at the moment.", "/status")
    page = status_page(degraded, "fr")
    assert [(part.name, part.state) for part in page.parts] == [
        ("Base de données", "well"),
        ("Nouvelles des boutiques et relances", "degraded"),
        ("E-mail", "well"),
        ("Shopify", "degraded"),
        ("WooCommerce", "well"),
        ("Stockage", "well"),
    ]


def test_what_only_the_database_tells_is_unknown_without_it(make_parts: Callable[..., Composition]) -> None:
    watch = Watch()
    watch._answer, watch._answered_at = (Trouble(Fault.DATABASE_SILENT),), time.monotonic()
    page = status_page(replace(make_parts(), watch=watch), "en")
    assert [part.state for part in page.parts] == ["degraded", "unknown", "unknown", "unknown", "unknown", "well"]


@pytest.mark.spec("SEC-184")
def test_the_status_page_is_for_everybody_and_names_nobody(
    parts: Composition, client: TestClient, shopify_shop: TestShop, seed: Seed
) -> None:
    turn_on(parts, shopify_shop)
    queue_message(parts, shopify_shop, seed)
    run(parts, "update messages set queued_at = app_now() - interval '11 minutes'")
    account = scalar(parts, "select public_id from accounts order by id desc limit 1")
    page = client.get("/status")
    for _ in range(20):
        if "more than 10 minutes" in page.text:
            break
        parts.watch._answered_at = None
        page = client.get("/status")
    assert page.status_code == 200
    assert "E-mails have been waiting for more than 10 minutes." in page.text
    assert 'href="https://www.shopifystatus.com"' in page.text
    for word in (
        "demo.myshopify.com",
        "Démo",
        "t1@example.org",
        "shp_",
        account,
    ):
        assert word not in page.text
