"""The stack's own Stellar network: a sandbox Horizon."""

import sys
import time
from collections.abc import Mapping
from typing import Final

import httpx

from deploy.local.errors import LocalError
from deploy.local.processes import Command, last_lines
from deploy.local.server_processes import ROOT, START_SECONDS, Spawn, port_written
from deploy.local.settings import LocalSettings
from deploy.local.state import StateDir
from deploy.local.stellar_keys import address_of

NAME: Final = "horizon"
PASSPHRASE: Final = "OFFER-HUB Sandbox Network ; 2026"  # noqa: S105 - the public name of a network
_TAIL_LINES: Final = 15
_HEALTH_SECONDS: Final = 3.0


async def start_horizon(settings: LocalSettings, state: StateDir, spawn: Spawn) -> int:
    """Start the sandbox and return its port once it is healthy. Its ledgers are kept in the state directory.

    Raises:
        LocalError: it does not come up.
    """
    port_file = state.ports / f"{NAME}.port"
    port_file.unlink(missing_ok=True)
    child = spawn(command(settings, state, port=0))
    began = time.monotonic()
    port = await port_written(port_file, child, deadline_seconds=START_SECONDS)
    trouble = await health(url_of(port)) if port else "it opened no port"
    while trouble and port and child.exit_status() is None and time.monotonic() < began + START_SECONDS:
        trouble = await health(url_of(port))
    if port is None or trouble:
        log = child.command.log
        raise LocalError(
            f"the sandbox Horizon does not come up ({trouble}); its log {log} ends with\n{last_lines(log, _TAIL_LINES)}"
        )
    child.command = command(settings, state, port=port)  # one that dies comes back where its clients look for it
    return port


def command(settings: LocalSettings, state: StateDir, *, port: int) -> Command:
    """Name the sandbox's process."""
    files = ("--port-file", str(state.ports / f"{NAME}.port"), "--state", str(state.chain))
    pace = ("--close-ms", str(settings.ledger_ms))
    return Command(
        name=NAME,
        arguments=[
            sys.executable,
            "-m",
            "deploy.sandbox.horizon",
            "--port",
            str(port),
            "--passphrase",
            PASSPHRASE,
            *files,
            *pace,
        ],
        environment={**settings.base_environment, "PYTHONUNBUFFERED": "1"},
        log=state.logs / f"{NAME}.log",
        cwd=ROOT,
    )


def variables(port: int, *, issuer_secret: str) -> Mapping[str, str]:
    """Name what describes the sandbox network to whoever uses it."""
    return {
        "STELLAR_NETWORK": "testnet",
        "STELLAR_HORIZON_URL": url_of(port),
        "STELLAR_NETWORK_PASSPHRASE": PASSPHRASE,
        "STELLAR_USDC_ISSUER": address_of(issuer_secret),
    }


def url_of(port: int) -> str:
    """Name where the sandbox answers."""
    return f"http://127.0.0.1:{port}"


async def health(url: str) -> str:
    """Return nothing when the sandbox is healthy, else what it lacks."""
    try:
        async with httpx.AsyncClient(timeout=_HEALTH_SECONDS, trust_env=False) as client:
            answer = await client.get(f"{url}/health")
    except httpx.HTTPError as error:
        return repr(error)
    return "" if answer.is_success else answer.text
