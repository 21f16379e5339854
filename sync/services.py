"""What background work needs, plugged together once by the composition root and passed down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.config import Settings
from connector.messages.envelope import Sender
from connector.metrics import Metrics
from connector.platforms import Platform
from connector.store.db import Database
from connector.store.sealed import Vault
from sync.courtesy import Courtesy
from sync.pauses import Pauses
from sync.readers import Reader, ReadsHere


@dataclass(frozen=True, slots=True)
class Services:
    """
    Database, vault, platforms by name, the mail Sender (None: nowhere to send), settings, what the process counts, what
    rests in it because a platform asked for that, what it has in hand that a sync makes room for, and who reads for its syncs.
    """

    db: Database
    vault: Vault
    platforms: Mapping[str, Platform]
    mail: Sender | None
    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    pauses: Pauses = field(default_factory=Pauses)
    courtesy: Courtesy = field(default_factory=Courtesy)
    reader: Reader = field(default_factory=ReadsHere)
