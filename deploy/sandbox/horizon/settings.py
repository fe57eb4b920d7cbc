"""What a sandbox is started with."""

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NETWORK: Final = "OFFER-HUB Sandbox Network ; 2026"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where it listens and keeps its ledgers, and how fast it closes them; 0 closes on demand only.

    With a virtual clock time stands still between ledgers and moves `close_seconds` with each; so do the hashes it makes.
    """

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    port_file: Path | None = None
    passphrase: str = NETWORK
    close_ms: int = 1_000
    submit_timeout_ms: int = 30_000
    requests_per_hour: int = 0
    virtual_start: int | None = None
    virtual_step: int = 5

    @property
    def close_seconds(self) -> float:
        """The usual time between two ledgers."""
        return self.virtual_step if self.virtual_start is not None else self.close_ms / 1_000


def parse(arguments: Sequence[str]) -> Settings:
    """Read the command line."""
    parser = ArgumentParser(prog="python -m deploy.sandbox.horizon", description="A Stellar network in one process.")
    parser.add_argument("--state", type=Path, required=True, help="directory to keep ledgers in; one process each")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; /sandbox answers loopback callers only")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="file that is told the port, once it listens")
    parser.add_argument("--passphrase", default=NETWORK, help="the network's; a state directory keeps to its first")
    parser.add_argument("--close-ms", type=int, default=1_000, help="time between ledgers; 0 closes on demand only")
    parser.add_argument("--submit-timeout-ms", type=int, default=30_000, help="how long POST /transactions waits for a ledger")
    parser.add_argument("--requests-per-hour", type=int, default=0, help="quota of one address, as Horizon counts it; 0: none")
    parser.add_argument("--virtual-start", type=int, help="Unix seconds; time then moves with ledgers only, --virtual-step each")
    parser.add_argument("--virtual-step", type=int, default=5, help="seconds between ledgers in virtual time")
    given = parser.parse_args(arguments)
    for name in ("close_ms", "submit_timeout_ms", "requests_per_hour", "virtual_step"):
        if getattr(given, name) < 0:
            parser.error(f"--{name.replace('_', '-')} must not be negative")
    return Settings(**vars(given))
