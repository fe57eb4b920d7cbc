"""What the launcher reads from the environment, once; nothing else under deploy.local does."""

import getpass
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from deploy.local.errors import LocalError

SERVICES: Final = ("ledger", "escrow", "payouts", "webhooks", "gateway")
"""In start order; the gateway comes last so that nobody is answered before somebody can obey."""

SIGNER: Final = "signer"
"""The process of payouts that alone opens wallets' keys; started before it, and in no number of its own."""

DEFAULT_PORT: Final = 4000
_PROCESSES_MAX: Final = 32
_A_STACKS_DATABASE: Final = re.compile(r"offerhub_[0-9a-f]{10}")


class Mode(StrEnum):
    """Which servers local mode may use."""

    AUTO = "auto"
    SERVERS = "servers"
    EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """One stack: where its state is, what it may use, how many processes it has."""

    state_dir: Path
    mode: Mode = Mode.AUTO
    port: int = DEFAULT_PORT
    """The gateway's; 0 takes a free one."""
    processes: Mapping[str, int]
    database_url: str = ""
    amqp_url: str = ""
    redis_url: str = ""
    horizon_url: str = ""
    """The Stellar network to use; empty starts a sandbox."""
    ledger_ms: int = 1_000
    """The time between the sandbox's ledgers."""
    base_environment: Mapping[str, str]
    """What every process inherits from the shell."""

    @property
    def stack_hash(self) -> str:
        """Ten hex digits that tell this stack's names from any other's."""
        return hashlib.sha256(str(self.state_dir).encode()).hexdigest()[:10]

    @property
    def database(self) -> str:
        """The database's name, unless DATABASE_URL names one."""
        return f"offerhub_{self.stack_hash}"

    @property
    def bus_prefix(self) -> str:
        """What every name on the bus begins with."""
        return f"oh_{self.stack_hash}."


def read(environment: Mapping[str, str] | None = None) -> LocalSettings:
    """Read the settings.

    Raises:
        LocalError: a value is not understood; the message names it.
    """
    env = os.environ if environment is None else environment
    # A shell that has sourced a run.env names that stack's database and broker. They are not for a second stack to use.
    sourced = bool(_A_STACKS_DATABASE.fullmatch(urlsplit(env.get("DATABASE_URL", "")).path.lstrip("/")))
    state_dir = Path(env.get("OFFERHUB_STATE_DIR") or ".local").expanduser().resolve()
    return LocalSettings(
        state_dir=state_dir,
        mode=_mode(env.get("OFFERHUB_LOCAL") or "auto"),
        port=_number(env.get("PORT") or str(DEFAULT_PORT), name="PORT", highest=65535),
        processes=_processes(env.get("OFFERHUB_PROCESSES", "")),
        database_url="" if sourced else env.get("DATABASE_URL", ""),
        amqp_url="" if sourced else env.get("AMQP_URL", ""),
        redis_url=env.get("REDIS_URL", ""),
        horizon_url="" if sourced else env.get("STELLAR_HORIZON_URL", ""),
        ledger_ms=_number(env.get("OFFERHUB_LEDGER_MS") or "1000", name="OFFERHUB_LEDGER_MS", highest=60_000),
        base_environment=dict(env),
    )


def operating_system_user() -> str:
    """Name the user who runs us; empty when the system does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _mode(text: str) -> Mode:
    try:
        return Mode(text)
    except ValueError:
        raise LocalError(f"OFFERHUB_LOCAL is '{text}'; it must be one of {', '.join(Mode)}") from None


def _number(text: str, *, name: str, highest: int) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= highest):
        raise LocalError(f"{name} is '{text}'; it must be a number from 0 to {highest}")
    return int(text)


def _processes(text: str) -> dict[str, int]:
    counts = dict.fromkeys(SERVICES, 1)
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        service, _, count = part.partition("=")
        if service not in counts:
            raise LocalError(f"OFFERHUB_PROCESSES names '{service}'; the services are {', '.join(SERVICES)}")
        counts[service] = _number(count, name=f"OFFERHUB_PROCESSES for {service}", highest=_PROCESSES_MAX)
    return counts
