"""What the gateway reads from the environment beside what every service does."""

import hashlib
import hmac
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from libs.common.settings import ServiceSettings
from services.gateway.domain.addresses import Network, parse_network
from services.gateway.domain.limits import GENERAL


class GatewaySettings(ServiceSettings):
    """The door's own settings."""

    host: str = Field("127.0.0.1", validation_alias="OFFERHUB_HOST")
    port: int = Field(4000, validation_alias="PORT", ge=0, le=65535)
    listen_fd: int | None = Field(None, validation_alias="OFFERHUB_GATEWAY_FD", ge=3)
    """A socket that is bound and inherited, so that several gateways share a port; wins over host and port."""
    master_key: SecretStr = Field(validation_alias="OFFERHUB_MASTER_KEY", min_length=16)
    key_pepper: SecretStr = Field(SecretStr(""), validation_alias="OFFERHUB_KEY_PEPPER")
    """Hashes API keys, makes webhook secrets; if empty, derived from the master key, which then can't change without all keys."""
    redis_url: SecretStr = Field(SecretStr(""), validation_alias="REDIS_URL")
    rate_limits: Literal["on", "off"] = Field("on", validation_alias="OFFERHUB_RATE_LIMITS")
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field((), validation_alias="OFFERHUB_TRUSTED_PROXIES")
    """Whose X-Forwarded-For is believed: addresses and ranges, separated by commas."""
    requests_per_minute: int = Field(GENERAL.amount, validation_alias="OFFERHUB_REQUESTS_PER_MINUTE", ge=1)
    """How much each API key may ask."""
    recorded_reads: float = Field(0.01, validation_alias="OFFERHUB_RECORDED_READS", ge=0, le=1)
    """The share of reads that go into the request log; writes all do."""
    records_kept_days: int = Field(400, validation_alias="OFFERHUB_RECORDS_KEPT_DAYS", ge=30)
    """How long requests stay on record; not shorter than the longest window of an Idempotency-Key that ends."""
    docs_url: str = Field("/api/v1/errors", validation_alias="OFFERHUB_ERROR_DOCS_URL")

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(parse_network(part.strip()) for part in value.split(",") if part.strip()) if isinstance(value, str) else value
        )

    def pepper(self) -> bytes:
        """Return the key under which API keys are hashed and webhook secrets made."""
        given = self.key_pepper.get_secret_value()
        if given:
            return given.encode()
        return hmac.digest(self.master_key.get_secret_value().encode(), b"offerhub api-key pepper", hashlib.sha256)
