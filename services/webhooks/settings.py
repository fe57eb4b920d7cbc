"""What the webhooks service reads from the environment."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from libs.common.settings import ServiceSettings
from services.webhooks.domain.retry_schedule import WAITS_SECONDS


class WebhooksSettings(ServiceSettings):
    """Where secrets are sealed with, and how deliveries are made."""

    secret_keys: SecretStr = Field(validation_alias="OFFERHUB_WEBHOOK_SECRET_KEYS")
    """`keyid:hex64[,keyid:hex64]`: the first seals, all of them open."""
    allow_private: bool = Field(default=False, validation_alias="OFFERHUB_WEBHOOK_PRIVATE_NETWORKS")
    """Lets endpoints be plain http, on any port and at any address, for development and private networks."""
    retry_seconds: Annotated[tuple[float, ...], NoDecode] = Field(
        default=WAITS_SECONDS, validation_alias="OFFERHUB_WEBHOOK_RETRY_SECONDS", max_length=50
    )
    """The wait after each failed attempt, so there is one attempt more than waits: `5,30,120`."""
    timeout_seconds: float = Field(10.0, validation_alias="OFFERHUB_WEBHOOK_TIMEOUT_SECONDS", gt=0, le=30)
    """How long a receiver may take, from connecting to the end of its answer."""
    lease_seconds: float = Field(30.0, validation_alias="OFFERHUB_WEBHOOK_LEASE_SECONDS", gt=0)
    """After this long without an outcome a delivery is taken for lost and claimed again; longer than the timeout."""
    poll_seconds: float = Field(0.5, validation_alias="OFFERHUB_WEBHOOK_POLL_SECONDS", gt=0)
    housekeeping_seconds: float = Field(10.0, validation_alias="OFFERHUB_WEBHOOK_HOUSEKEEPING_SECONDS", gt=0)
    """Between two looks for deliveries whose endpoint was deleted."""
    concurrency: int = Field(128, validation_alias="OFFERHUB_WEBHOOK_CONCURRENCY", ge=1, le=10_000)
    """Deliveries under way at once in one process."""
    tenant_concurrency: int = Field(64, validation_alias="OFFERHUB_WEBHOOK_TENANT_CONCURRENCY", ge=1)
    """Of those, how many may go to one tenant's endpoints, however many it has."""
    endpoint_concurrency: int = Field(16, validation_alias="OFFERHUB_WEBHOOK_ENDPOINT_CONCURRENCY", ge=1)
    """Of those, how many may go to one endpoint, however well it does."""
    breaker_failures: int = Field(10, validation_alias="OFFERHUB_WEBHOOK_BREAKER_FAILURES", ge=1)
    """After so many failures in a row what waits for an endpoint is parked, and one delivery at a time probes it."""
    breaker_seconds: float = Field(5.0, validation_alias="OFFERHUB_WEBHOOK_BREAKER_SECONDS", gt=0, le=300)
    """The wait before the first probe; it doubles up to five minutes."""
    disable_hours: float = Field(120.0, validation_alias="OFFERHUB_WEBHOOK_DISABLE_HOURS", ge=0)
    """An endpoint that has only failed for so long is deactivated."""

    events_kept_days: int = Field(30, validation_alias="OFFERHUB_EVENTS_KEPT_DAYS", ge=1, le=3_650)
    """Whole days, in UTC, for which the event log and deliveries that ended are kept before today's."""
    attempts_kept_days: int = Field(30, validation_alias="OFFERHUB_WEBHOOK_ATTEMPTS_KEPT_DAYS", ge=1, le=3_650)
    """Whole days, in UTC, for which attempts are kept before today's."""

    @field_validator("retry_seconds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("retry_seconds")
    @classmethod
    def _not_negative(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(wait < 0 for wait in value):
            raise ValueError("a wait can't be negative")
        return value
