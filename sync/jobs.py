"""The names of the background jobs and the queues they ring on."""

from enum import StrEnum


class Job(StrEnum):
    """One kind of work; each carries only a shop id (0: no particular shop)."""

    APPLY = "apply_inbox"
    PRODUCTS = "read_products"
    ABANDON = "mark_abandoned"
    SEND = "send_messages"


class Queue(StrEnum):
    """What comes in is handled before what goes out waits for it."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


QUEUE_OF = {Job.APPLY: Queue.INBOUND, Job.ABANDON: Queue.INBOUND, Job.PRODUCTS: Queue.OUTBOUND, Job.SEND: Queue.OUTBOUND}
