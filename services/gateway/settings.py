"""What the gateway reads from the environment beside what every service does."""

import hashlib
import hmac
from typing import Literal

from pydantic import Field, SecretStr

from libs.common.settings import ServiceSettings


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
    docs_url: str = Field("/api/v1/errors", validation_alias="OFFERHUB_ERROR_DOCS_URL")

    def pepper(self) -> bytes:
        """Return the key under which API keys are hashed and webhook secrets made."""
        given = self.key_pepper.get_secret_value()
        if given:
            return given.encode()
        return hmac.digest(self.master_key.get_secret_value().encode(), b"offerhub api-key pepper", hashlib.sha256)
