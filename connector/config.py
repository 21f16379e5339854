"""
Settings: the only reader of the environment.

Built once at an entry point (`cli`) and passed down. Sandbox-only settings are refused outside sandbox mode, so that no
production process can be pointed at pretend stores.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SANDBOX_ONLY = ("address_map", "extra_ca", "browser_map")


class Settings(BaseSettings):
    """
    Everything that can be set. Each name is an environment variable in capitals; the README lists them.

    Raises pydantic.ValidationError (a ValueError) for values that contradict each other.
    """

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = Field(None, description="PostgreSQL ≥ 15, e.g. postgresql://user@host/db; unset: the bundled server")
    redis_url: SecretStr | None = Field(None, description="Redis ≥ 6; unset: everything runs in one process")
    data_dir: Path = Field(Path("var"), description="where the bundled database, keys and figures live")
    public_url: str = Field("", description="our own address as stores and shoppers reach it; unset: HOST and PORT")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on")
    smtp_url: SecretStr | None = Field(None, description="smtp://user:password@host:587 (STARTTLS) or smtps://…:465")
    mail_from: str = Field("Connector <connector@localhost>", description="sender of the e-mails")
    sealing_key: SecretStr | None = Field(None, description="key(s) that seal credentials, newest first; unset: made once in data_dir")
    operator_key: SecretStr | None = Field(None, description="password of /metrics; unset: made once in data_dir")
    trusted_proxies: str = Field("", description="addresses or networks of our proxies, with commas; X-Forwarded-For is theirs to say")
    shopify_listing_url: str = Field("", description="the app's page in the Shopify App Store, where merchants install it")
    shopify_client_id: str = Field("", description="the app's client id from the Dev Dashboard")
    shopify_client_secret: SecretStr = Field(SecretStr(""), description="the app's client secret; empty closes the Shopify door")
    shopify_old_client_secret: SecretStr = Field(SecretStr(""), description="the previous secret while it is being rotated")
    shopify_scopes: str = Field(
        "read_customer_merge,read_customers,read_inventory,read_orders,read_products,read_shopify_payments_disputes,write_discounts",
        description="scopes asked for at install; the same list as in shopify.app.toml",
    )
    worker_threads: int = Field(4, ge=1, le=64, description="threads of one worker")
    tick_seconds: float = Field(0.5, gt=0, le=60, description="how often the scheduler looks for due work")
    retention_days: int = Field(14, ge=1, le=90, description="how long raw webhook bodies are kept")
    max_body_bytes: int = Field(5 * 1024 * 1024, ge=1024, description="largest webhook body that is accepted")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of /livez and /metrics in workers and schedulers; 0: none")
    drain_seconds: float = Field(3.0, ge=0, le=10, description="how long a web process goes on serving after SIGTERM, as not ready")
    min_free_bytes: int = Field(64 * 1024 * 1024, ge=0, description="room on the disk of DATA_DIR below which we are not ready")
    sandbox: bool = Field(False, description="pretend stores on loopback, a virtual clock, a mail catcher")
    address_map: dict[str, str] = Field(default_factory=dict, description="sandbox only: host -> 127.0.0.1:port for our own https calls")
    browser_map: dict[str, str] = Field(default_factory=dict, description="sandbox only: https origin -> loopback origin for browsers")
    extra_ca: Path | None = Field(None, description="sandbox only: PEM file of the throw-away CA")

    @model_validator(mode="after")
    def sandbox_only_settings_stay_in_the_sandbox(self) -> Self:
        """Refuse address map, browser map and CA outside sandbox mode."""
        if not self.sandbox:
            given = [name.upper() for name in SANDBOX_ONLY if getattr(self, name)]
            if given:
                raise ValueError(f"{', '.join(given)} may be set only together with SANDBOX=true: they redirect calls to pretend stores")
        return self

    @model_validator(mode="after")
    def proxies_are_networks(self) -> Self:
        """Refuse a TRUSTED_PROXIES that names no addresses."""
        assert self.proxy_networks is not None
        return self

    @model_validator(mode="after")
    def public_url_has_a_default(self) -> Self:
        """Without PUBLIC_URL we are where we listen."""
        if not self.public_url:
            object.__setattr__(self, "public_url", f"http://{self.host}:{self.port}")
        return self

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """TRUSTED_PROXIES as networks. Raises ValueError for what is none."""
        return tuple(ip_network(part.strip(), strict=False) for part in self.trusted_proxies.split(",") if part.strip())

    @property
    def can_send_mail(self) -> bool:
        """True if messages have somewhere to go."""
        return self.smtp_url is not None

    def browser_url(self, url: str) -> str:
        """The address a person's browser can open: the same, or in sandbox mode the loopback twin's."""
        for origin, local in self.browser_map.items():
            if url == origin or url.startswith((origin + "/", origin + "?")):
                return local + url[len(origin) :]
        return url
