"""The one frozen Settings, read once at start and passed on."""

from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Every knob, from `FINDERFEE_*` variables; `DATABASE_URL` and `PORT` are honored too."""

    model_config = SettingsConfigDict(env_prefix="FINDERFEE_", frozen=True, populate_by_name=True)

    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("FINDERFEE_DATABASE_URL", "DATABASE_URL")
    )
    """postgres://…; none: an embedded Postgres in the data folder."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, validation_alias=AliasChoices("FINDERFEE_PORT", "PORT"))
    metrics_port: int = 9464
    """0: none."""
    public_url: str = ""
    """How the world reaches us, for short links; empty: http://host:port."""
    data_dir: Path = Path(".data")
    """Journals, replicas, the embedded Postgres; a local persistent disk."""
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Comma-separated, 32 characters or more each; the first signs, all verify."""
    bootstrap_api_key: SecretStr | None = None
    """The first admin key, instead of a random one that is printed."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    journal_max_bytes: int = 2_000_000_000
    """Bytes that wait in one process' journals, past which clicks count as unrecorded."""
    lru_links: int = 100_000
    """Links that a web process keeps in memory above its replica."""
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Comma-separated networks of the proxies in front of us: only what these say of the visitor
    (`X-Forwarded-For`, the country header) counts. None: nobody's word does."""
    country_header: str = ""
    """`cf-ipcountry`: the header in which a trusted proxy tells the visitor's country."""
    maxmind_db: Path | None = None
    """A MaxMind database (`.mmdb`) with countries, where no header tells."""
    duplicate_window_s: int = Field(default=3_600, ge=60, le=86_400)
    """A visitor's further clicks on a link within it are duplicates; so long after midnight (UTC)
    a day's salt is destroyed."""
    parked_days: int = Field(default=7, ge=1, le=3_660)
    """How long an event may wait for what it belongs to before that is reported."""
    unhashed_clicks: int = Field(default=200, ge=1)
    """Clicks without a visitor hash that count as humans per link and window; more are recorded
    as duplicates."""

    stripe_api: str = Field(default="https://api.stripe.com", pattern=r"^https?://")
    """Where Stripe's API is; another address only for tests."""
    dns_server: str = ""
    """`127.0.0.1:53`: whom to ask about custom domains; empty: the system's resolver."""
    outgoing_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Comma-separated private networks that calls to hosts named by callers may reach."""

    @field_validator("dns_server")
    @classmethod
    def check_server(cls, value: str) -> str:
        if value:
            address, _, port = value.rpartition(":")
            ip_address(address.strip("[]"))
            if not 0 < int(port) < 65_536:
                raise ValueError("a DNS server is given as address:port")
        return value

    @field_validator("maxmind_db", mode="before")
    @classmethod
    def check_database(cls, value: object) -> object:
        # As compose files write what isn't set; a path of nothing would be the current folder.
        return value or None

    @field_validator("outgoing_networks", "trusted_proxies", mode="before")
    @classmethod
    def split_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(one.strip() for one in value.split(",") if one.strip())

    @field_validator("bootstrap_api_key")
    @classmethod
    def check_key(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else ""
        if not text:
            return None
        if not (32 <= len(text) <= 200 and text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("an API key has 32 to 200 printable ASCII characters, no spaces")
        return value

    @field_validator("secret_keys", mode="before")
    @classmethod
    def split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(key.strip() for key in value.split(",") if key.strip())

    @property
    def base_url(self) -> str:
        """The public address without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")
