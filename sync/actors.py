"""Thin actors: a name, a queue, a limit, one call. Arguments are shop ids; actors never raise, so no dead letters grow."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import Interrupt

from connector.store.db import Wake
from sync import abandon, access, apply, engine, erase, listening, offer_codes, offer_mails, offers, post, products, rereads, send
from sync.jobs import QUEUE_OF, Job
from sync.services import Services

TIME_LIMIT_MS = 120_000
SEND_LIMIT_MS = 390_000
"""A worker must not be interrupted between a hand-over and its record: longer than a send lease."""

LONG = (Job.SEND, Job.POST, Job.OFFER_MAILS, Job.SYNC)
"""A page of a slow store is waited for before a turn of syncing ends; who stands still for longer has lost its lease."""

log = structlog.get_logger()

WORK: dict[Job, Callable[[Services, int], object]] = {
    Job.APPLY: apply.drain,
    Job.ABANDON: abandon.mark_abandoned,
    Job.PRODUCTS: products.read_missing,
    Job.SEND: send.send_messages,
    Job.POST: post.post_mails,
    Job.RENEW: access.renew,
    Job.LISTEN: listening.listen,
    Job.ERASE: erase.erase,
    Job.REREAD: rereads.reread,
    Job.OFFERS: offers.tend,
    Job.OFFER_CODES: offer_codes.make_codes,
    Job.OFFER_MAILS: offer_mails.send_offers,
    Job.SYNC: engine.work,
}


def declare(broker: dramatiq.Broker, services: Services, clear: Callable[[Wake], None]) -> dict[Job, "dramatiq.Actor[[int], None]"]:
    """Register one actor per job on `broker`; `clear` is told of a wake before its work begins."""
    return {job: _actor(broker, job, work, services, clear) for job, work in WORK.items()}


def _actor(
    broker: dramatiq.Broker, job: Job, work: Callable[[Services, int], object], services: Services, clear: Callable[[Wake], None]
) -> "dramatiq.Actor[[int], None]":
    def answer(shop_id: int) -> None:
        clear(Wake(job.value, shop_id))
        try:
            with nullcontext() if job is Job.SYNC else services.courtesy.other_work():
                work(services, shop_id)
        except (Exception, Interrupt) as error:
            log.warning("job.failed", job=job.value, shop_id=shop_id, error=type(error).__name__)

    options: dict[str, Any] = {"time_limit": SEND_LIMIT_MS if job in LONG else TIME_LIMIT_MS}
    return dramatiq.Actor(answer, broker=broker, actor_name=job.value, queue_name=QUEUE_OF[job].value, priority=0, options=options)
