"""A stack of webhooks and gateways alone, on a Postgres and a broker of its own, so that those can be killed too."""

import asyncio
import contextlib
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Final

import psutil

from deploy.local.choice import Choice
from deploy.local.embedded_postgres import free_port
from deploy.local.environment import Endpoints
from deploy.local.errors import LocalError
from deploy.local.processes import Command
from deploy.local.servers import find_broker
from tests.chaos.fragile import FragileStack

PROCESSES: Final = "ledger=0,escrow=0,payouts=0,webhooks=2,gateway=2"
SERVERS: Final = ("broker", "postgres")
_RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


def has_rabbitmq() -> bool:
    """Tell whether RabbitMQ's program is here, so that a node of our own can be started."""
    return _RABBITMQ.exists() and shutil.which("erl") is not None


class HooksStack(FragileStack):
    """Kills its servers as well: Postgres and RabbitMQ by SIGKILL, the embedded broker by SIGTERM, for it lives in memory."""

    @property
    def killed_servers(self) -> str:
        """Say how its servers are killed."""
        return "RabbitMQ by SIGKILL" if has_rabbitmq() else "the embedded broker by SIGTERM, since it keeps messages in memory"

    def kill(self, name: str, *, then: str) -> None:
        """Kill a process with all that it started."""
        if name not in SERVERS:
            super().kill(name, then=then)
            return
        child = self.processes[name]
        self._killed.add(child.identity.pid)
        self.kills[name] += 1
        is_in_memory = name == "broker" and not has_rabbitmq()
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(child.identity.pid)
            for process in [root] if is_in_memory else [*root.children(recursive=True), root]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGTERM if is_in_memory else signal.SIGKILL)

    async def ready(self, name: str) -> bool:
        """Wait until a process runs and can be asked."""
        if name not in SERVERS:
            return await super().ready(name)
        deadline = time.monotonic() + _START_SECONDS
        while self.processes[name].exit_status() is not None or not _answers(self._port(name)):
            if time.monotonic() > deadline:
                self.surprises.append(f"{name} did not come back within {_START_SECONDS:g} s")
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def _port(self, name: str) -> int:
        url = self._endpoints.amqp_url if name == "broker" else self._endpoints.server_url
        return int(url.rstrip("/").rpartition(":")[2].partition("/")[0])

    async def _open_servers(self, choice: Choice) -> Endpoints:
        return await super()._open_servers(Choice("", await self._start_rabbitmq()) if has_rabbitmq() else choice)

    async def _start_rabbitmq(self) -> str:
        """Start a node of our own.

        Raises:
            LocalError: it does not come up.
        """
        home, port = self.settings.state_dir / "rabbitmq", free_port()
        home.mkdir()
        (home / "plugins").write_text("[].\n")
        environment = {
            "RUNNING_UNDER_SYSTEMD": "1",  # no shell between us and it
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"chaos_{self.settings.stack_hash}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(home / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        }
        self._spawn(
            Command(
                name="broker",
                arguments=[str(_RABBITMQ)],
                environment={**self.settings.base_environment, **environment},
                log=self.state.logs / "broker.log",
                cwd=home,
            )
        )
        address = f"127.0.0.1:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while not (found := await find_broker(address)).url:
            if time.monotonic() > deadline:
                raise LocalError(f"a RabbitMQ of our own does not come up: {found.reason}")
            await asyncio.sleep(_POLL_SECONDS)
        return found.url


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
