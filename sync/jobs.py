"""The names of the background jobs and the queues they ring on."""

from enum import StrEnum


class Job(StrEnum):
    """One kind of work; each carries only a shop id (0: no particular shop)."""

    APPLY = "apply_inbox"
    PRODUCTS = "read_products"
    ABANDON = "mark_abandoned"
    SEND = "send_messages"
    POST = "post_mails"
    RENEW = "renew_access"
    LISTEN = "listen"
    ERASE = "erase_people"
    REREAD = "reread_records"
    OFFERS = "tend_offers"
    OFFER_CODES = "make_codes"
    OFFER_MAILS = "send_offers"
    SYNC = "sync_records"


class Queue(StrEnum):
    """
    One per kind of waiting, each with threads of its own: a mail server that hangs holds up no delivery, and a store that
    answers slowly holds up no mail, nor does one that is pulled for hours.
    """

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    STORES = "stores"
    SYNC = "sync"


QUEUE_OF = {
    Job.APPLY: Queue.INBOUND,
    Job.ABANDON: Queue.INBOUND,
    Job.PRODUCTS: Queue.STORES,
    Job.RENEW: Queue.STORES,
    Job.LISTEN: Queue.STORES,
    Job.ERASE: Queue.STORES,
    Job.REREAD: Queue.STORES,
    Job.OFFERS: Queue.INBOUND,
    Job.OFFER_CODES: Queue.STORES,
    Job.OFFER_MAILS: Queue.OUTBOUND,
    Job.SYNC: Queue.SYNC,
    Job.SEND: Queue.OUTBOUND,
    Job.POST: Queue.OUTBOUND,
}
