"""The environment of the stack's processes, and the variables it tells a shell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir
from typing import Final

from deploy.local.settings import LocalSettings
from deploy.local.state import ApiKeys, RunningProcess, Secrets

_SOCKET_PATH_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a stack's servers answer."""

    database_url: str
    """The owner's URL of the stack's database."""
    server_url: str
    """A URL of the same server that can make and drop databases; empty when the environment named the database."""
    amqp_url: str
    stellar: Mapping[str, str] = field(default_factory=dict)
    """The variables of the stack's own Stellar network; none when the environment names one, or nobody needs one."""


def shared(settings: LocalSettings, secrets: Secrets, endpoints: Endpoints) -> dict[str, str]:
    """Name what every process of the stack is told."""
    told = {
        **settings.base_environment,
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": endpoints.database_url,
        "AMQP_URL": endpoints.amqp_url,
        "OFFERHUB_BUS_PREFIX": settings.bus_prefix,
        "OFFERHUB_DB_ROLE_SECRET": secrets.db_role_secret,
        "OFFERHUB_MASTER_KEY": secrets.master_key,
        "OFFERHUB_KEY_PEPPER": secrets.key_pepper,
        "OFFERHUB_WEBHOOK_SECRET_KEYS": secrets.webhook_secret_keys,
        "OFFERHUB_WEBHOOK_PRIVATE_NETWORKS": "true",
        "OFFERHUB_SIGNER_SOCKET": str(signer_socket(settings)),
        **endpoints.stellar,
    }
    return told | ({"REDIS_URL": settings.redis_url} if settings.redis_url else {})


def of_process(shared_environment: dict[str, str], *, instance: str, port_file: Path) -> dict[str, str]:
    """Add what one process alone is told."""
    return shared_environment | {
        "OFFERHUB_INSTANCE": instance,
        "OFFERHUB_HEALTH_PORT": "0",
        "OFFERHUB_HEALTH_PORT_FILE": str(port_file),
    }


def of_signer(environment: dict[str, str], secrets: Secrets) -> dict[str, str]:
    """Add what the signer alone is told: everything that opens or makes a signature."""
    return environment | {
        "OFFERHUB_WALLET_KEYS": secrets.wallet_keys,
        "OFFERHUB_SIGNER_DB_SECRET": secrets.signer_db_secret,
        "STELLAR_SPONSOR_SECRET": secrets.stellar_sponsor,
        "STELLAR_TREASURY_SECRET": secrets.stellar_treasury,
    }


def signer_socket(settings: LocalSettings) -> Path:
    """Name the signer's socket: in the state directory, unless that is too deep for the path of a unix socket."""
    beside = settings.state_dir / "run" / "signer.sock"
    return beside if len(str(beside)) < _SOCKET_PATH_MAX else Path(gettempdir()) / f"offerhub-{settings.stack_hash}.sock"


def of_gateway(environment: dict[str, str], *, port: int, fd: int) -> dict[str, str]:
    """Add what a gateway process alone is told: the socket it inherits, already bound."""
    return environment | {"PORT": str(port), "OFFERHUB_GATEWAY_FD": str(fd)}


def of_shell(
    settings: LocalSettings,
    secrets: Secrets,
    endpoints: Endpoints,
    *,
    api_url: str,
    keys: ApiKeys,
    processes: Iterable[RunningProcess],
) -> dict[str, str]:
    """Name what run.env tells."""
    told = {
        "OFFERHUB_API_URL": api_url,
        "OFFERHUB_MASTER_KEY": secrets.master_key,
        "OFFERHUB_API_KEY": keys.api_key,
        "OFFERHUB_SUPPORT_KEY": keys.support_key,
        "DATABASE_URL": endpoints.database_url,
        "AMQP_URL": endpoints.amqp_url,
        "OFFERHUB_BUS_PREFIX": settings.bus_prefix,
        **endpoints.stellar,
    }
    if endpoints.stellar:
        told["OFFERHUB_SANDBOX_ISSUER_SECRET"] = secrets.stellar_issuer
    if settings.redis_url:
        told["REDIS_URL"] = settings.redis_url
    return told | of_processes(processes)


def of_processes(processes: Iterable[RunningProcess]) -> dict[str, str]:
    """Name what run.env tells of the services' processes."""
    told: dict[str, str] = {}
    for process in processes:
        if process.service:
            suffix = f"{process.service.upper()}_{process.number}"
            told[f"OFFERHUB_PID_{suffix}"] = str(process.pid)
            told[f"OFFERHUB_HEALTH_PORT_{suffix}"] = str(process.health_port)
    return told
