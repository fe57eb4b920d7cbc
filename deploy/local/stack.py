"""One stack of processes: started, watched over and stopped together."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from deploy.local import api, environment, listening, network, sandbox
from deploy.local.choice import Choice, choose
from deploy.local.databases import create_database, require_database
from deploy.local.environment import Endpoints
from deploy.local.errors import LocalError
from deploy.local.processes import Child, Command, Identity, end, spawn
from deploy.local.readiness import READY_SECONDS, ending, ready_port
from deploy.local.server_processes import (
    ROOT,
    STOP_SECONDS,
    embedded_postgres,
    read_port,
    run_to_end,
    start_broker,
    start_postgres,
)
from deploy.local.servers import database_named_in, require_broker, with_database
from deploy.local.settings import SERVICES, SIGNER, LocalSettings
from deploy.local.state import Run, RunningProcess, StateDir

_MIGRATE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.1
_BACKOFF_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_STEADY_SECONDS: Final = 30.0
"""A process that lived this long starts its backoff anew when it dies."""

Say = Callable[[str], None]


class Stack:
    """A stack in one state directory. Not shared between event loops; `stop` may be called after a failed `start`."""

    backoff_seconds: Sequence[float] = _BACKOFF_SECONDS
    """The wait before a process that died is started again: after its first death, its second …"""

    def __init__(self, settings: LocalSettings, *, say: Say = print, supervised: bool) -> None:
        """Prepare; nothing is started. `supervised`: whoever starts it will call `supervise`, so `make stop` tells them."""
        self.settings = settings
        self.state = StateDir(settings.state_dir)
        self.processes: dict[str, Child] = {}
        self.health_ports: dict[str, int] = {}
        self.api_url = ""
        self.shell: dict[str, str] = {}
        self._say = say
        self._supervised = supervised
        self._secrets = self.state.secrets
        self._endpoints = Endpoints(database_url="", server_url="", amqp_url="")
        self._socket: socket.socket | None = None
        self._services: dict[str, tuple[str, int]] = {}

    async def start(self) -> None:
        """Bring everything up; return when every process is ready. On failure, what came up is stopped again.

        Raises:
            LocalError: something does not come up; the message has the end of its log.
        """
        with self.state.locked():
            await self._clear_the_way()
            try:
                await self._start()
            except BaseException:
                await self._end_all()
                raise

    async def stop(self) -> None:
        """Stop everything this stack runs; the data stays."""
        with self.state.locked():
            await self._end_all()

    async def supervise(self) -> None:
        """Start every process that dies again, until cancelled."""
        deaths: dict[str, int] = {}
        due: dict[str, float] = {}
        while True:
            for name, child in list(self.processes.items()):
                status = child.exit_status()
                if status is None:
                    if not self.health_ports.get(name, 1):
                        self._learn_port(name)
                elif name not in due:
                    deaths[name] = 0 if _age(child) > _STEADY_SECONDS else deaths.get(name, -1) + 1
                    delay = self.backoff_seconds[min(deaths[name], len(self.backoff_seconds) - 1)]
                    due[name] = time.monotonic() + delay
                    self._say(f"{name} ended {ending(status)}; starting it again in {delay:g} s")
                elif time.monotonic() >= due[name]:
                    del due[name]
                    self._restart(child)
            await asyncio.sleep(_POLL_SECONDS)

    def database_url(self) -> str:
        """Return the owner's URL of the stack's database."""
        return self._endpoints.database_url

    async def _start(self) -> None:
        choice = await choose(self.settings, self.state.origin())
        self._endpoints = replace(await self._open_servers(choice), stellar=await self._open_network())
        self.state.keep_origin(choice.origin)
        told = environment.shared(self.settings, self._secrets(), self._endpoints)
        await self._migrate(told | {"OFFERHUB_SIGNER_DB_SECRET": self._secrets().signer_db_secret})
        port = self._bind()
        self.api_url = f"http://127.0.0.1:{port}/api/v1"
        if self.settings.processes["payouts"]:
            self._spawn_service(SIGNER, 1, environment.of_signer(told, self._secrets()), port)
        for service in SERVICES:
            for number in range(1, self.settings.processes[service] + 1):
                self._spawn_service(service, number, told, port)
        await _together(self._await_ready(), self._furnish_network(told))
        if self.settings.processes["gateway"]:
            keys = await api.keys_for(self.api_url, master_key=self._secrets().master_key, kept=self.state.api_keys())
            self.state.keep_api_keys(keys)
        self._remember()

    async def _open_servers(self, choice: Choice) -> Endpoints:
        settings, secrets = self.settings, self._secrets()
        broker_url = choice.broker_url or await start_broker(settings, self.state, self._spawn)
        server_url = choice.postgres_url
        if choice.broker_url:
            await require_broker(choice.broker_url)
        if not server_url:
            server_url = await start_postgres(embedded_postgres(settings, secrets), self.state, self._spawn)
        elif settings.database_url and database_named_in(server_url):
            await require_database(server_url)
            return Endpoints(database_url=server_url, server_url="", amqp_url=broker_url)
        server_url = with_database(server_url, "postgres")
        await create_database(server_url, settings.database)
        database_url = with_database(server_url, settings.database)
        return Endpoints(database_url=database_url, server_url=server_url, amqp_url=broker_url)

    async def _open_network(self) -> Mapping[str, str]:
        if self.settings.horizon_url or not self.settings.processes["payouts"]:
            return {}
        port = await sandbox.start_horizon(self.settings, self.state, self._spawn)
        self.health_ports[sandbox.NAME] = port
        return sandbox.variables(port, issuer_secret=self._secrets().stellar_issuer)

    async def _furnish_network(self, told: dict[str, str]) -> None:
        """Have accounts and money on the stack's own network; on another one that is a person's to decide."""
        if sandbox.NAME not in self.processes:
            return
        url = self._endpoints.stellar["STELLAR_HORIZON_URL"]
        await network.fund(url, self._secrets())
        await self._await_one(self.processes[f"{SIGNER}-1"], time.monotonic() + READY_SECONDS)
        await network.prepare(url, told, self.state)
        await network.endow(url, self._secrets())

    async def _migrate(self, told: dict[str, str]) -> None:
        arguments = [sys.executable, "-m", "libs.common.persistence.migrate"]
        log = self.state.logs / "migrate.log"
        command = Command(name="migrate", arguments=arguments, environment=told, log=log, cwd=ROOT)
        await run_to_end(command, spawn, deadline_seconds=_MIGRATE_SECONDS)

    def _bind(self) -> int:
        self._socket = listening.listen(self.settings.port)
        port: int = self._socket.getsockname()[1]
        return port

    def _spawn_service(self, service: str, number: int, told: dict[str, str], port: int) -> None:
        name = f"{service}-{number}"
        port_file = self.state.ports / f"{name}.port"
        port_file.unlink(missing_ok=True)
        env = environment.of_process(told, instance=name, port_file=port_file)
        inherited: tuple[int, ...] = ()
        if service == "gateway" and self._socket is not None:
            inherited = (self._socket.fileno(),)
            env = environment.of_gateway(env, port=port, fd=inherited[0])
        self._services[name] = (service, number)
        self.health_ports[name] = 0
        self._spawn(
            Command(
                name=name,
                arguments=[sys.executable, "-m", "services.payouts.signer" if service == SIGNER else f"services.{service}"],
                environment=env,
                log=self.state.logs / f"{name}.log",
                cwd=ROOT,
                inherited_fds=inherited,
            )
        )

    async def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        await asyncio.gather(*(self._await_one(self.processes[name], deadline) for name in self._services))

    async def _await_one(self, child: Child, deadline: float) -> None:
        name = child.command.name
        self.health_ports[name] = await ready_port(child, self.state.ports / f"{name}.port", deadline=deadline)

    def _spawn(self, command: Command) -> Child:
        child = spawn(command)
        self.processes[command.name] = child
        self._remember()
        return child

    def next_command(self, child: Child) -> Command:
        """Name what is started in the place of a process that died: the same again."""
        return child.command

    def _restart(self, child: Child) -> None:
        name = child.command.name
        if name in self.health_ports:
            (self.state.ports / f"{name}.port").unlink(missing_ok=True)
            self.health_ports[name] = 0
        again = self._spawn(self.next_command(child))
        again.restarts = child.restarts + 1
        self._say(f"{name} runs again as pid {again.identity.pid}")

    def _learn_port(self, name: str) -> None:
        self.health_ports[name] = read_port(self.state.ports / f"{name}.port")
        if self.health_ports[name]:
            self._remember()

    def _remember(self) -> None:
        processes = tuple(self._running(child) for child in self.processes.values())
        me = Identity.of(os.getpid()) if self._supervised else None
        supervisor = RunningProcess(name="launcher", pid=me.pid, started=me.started, stop_signal=signal.SIGTERM) if me else None
        self.state.keep_run(Run(processes=processes, supervisor=supervisor, api_url=self.api_url))
        keys = self.state.api_keys()
        if keys is not None and all(self.health_ports.values()):
            self.shell = environment.of_shell(
                self.settings, self._secrets(), self._endpoints, api_url=self.api_url, keys=keys, processes=processes
            )
            self.state.keep_run_env(self.shell)

    def _running(self, child: Child) -> RunningProcess:
        name, identity = child.command.name, child.identity
        service, number = self._services.get(name, ("", 0))
        return RunningProcess(
            name=name,
            pid=identity.pid,
            started=identity.started,
            stop_signal=child.command.stop_signal,
            service=service,
            number=number,
            health_port=self.health_ports.get(name, 0),
        )

    async def _clear_the_way(self) -> None:
        run = self.state.run()
        if run.supervisor is not None and run.supervisor.identity.alive():
            raise LocalError(f"this stack runs already, under process {run.supervisor.pid}; `make stop` ends it")
        await end_processes(run.processes)
        self.state.forget_run()

    async def _end_all(self) -> None:
        await end_processes([self._running(child) for child in self.processes.values()])
        for child in self.processes.values():
            child.popen.wait()
        if self._socket is not None:
            self._socket.close()
        self.processes.clear()
        self.health_ports.clear()
        self.state.forget_run()


async def end_processes(processes: Iterable[RunningProcess]) -> None:
    """End processes: the gateway's, then the workers', then the signer and the servers they lean on."""
    ranks: dict[int, list[RunningProcess]] = {}
    for process in processes:
        rank = 2 if process.service in {"", SIGNER} else 0 if process.service == "gateway" else 1
        ranks.setdefault(rank, []).append(process)
    for _, together in sorted(ranks.items()):
        await asyncio.gather(
            *(end(one.identity, stop_signal=signal.Signals(one.stop_signal), deadline_seconds=STOP_SECONDS) for one in together)
        )


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """Do several things at once; when one fails the others are called off."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _age(child: Child) -> float:
    return max(0.0, time.time() - child.identity.started)  # noqa: TID251 - compared with the kernel's own record
