"""What every service reads from the environment, once, at start."""

from typing import Self

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Typed and frozen. Names without the OFFERHUB_ prefix are those the ecosystem knows."""

    @classmethod
    def read(cls) -> Self:
        """Read the environment.

        Raises:
            pydantic.ValidationError: a value is missing or wrong; the message names it.
        """
        return cls()  # type: ignore[call-arg] # every field comes from the environment

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    """The owner's URL; the service connects as its own role, `<database>_<service>`."""
    db_role_secret: SecretStr = Field(SecretStr(""), validation_alias="OFFERHUB_DB_ROLE_SECRET")
    """Derives the roles' passwords; empty means: connect as the owner (development)."""
    amqp_url: SecretStr = Field(SecretStr("amqp://guest:guest@127.0.0.1:5672/"), validation_alias="AMQP_URL")
    bus_prefix: str = Field("", validation_alias="OFFERHUB_BUS_PREFIX")
    queue_expires_ms: int = Field(0, validation_alias="OFFERHUB_QUEUE_EXPIRES_MS", ge=0)
    """Makes unused queues vanish: for tests."""
    instance: str = Field("1", validation_alias="OFFERHUB_INSTANCE")
    health_host: str = Field("127.0.0.1", validation_alias="OFFERHUB_HEALTH_HOST")
    health_port: int = Field(0, validation_alias="OFFERHUB_HEALTH_PORT", ge=0, le=65535)
    health_port_file: str = Field("", validation_alias="OFFERHUB_HEALTH_PORT_FILE")
    log_level: str = Field("INFO", validation_alias="OFFERHUB_LOG_LEVEL")
    pool_size: int = Field(4, validation_alias="OFFERHUB_POOL_SIZE", ge=2, le=100)
    otlp_endpoint: str = Field("", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    fault: str = Field("", validation_alias="OFFERHUB_FAULT")
    """A fault point at which this process kills itself, for chaos runs: `write.after_commit:3`."""
