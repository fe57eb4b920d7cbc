"""What `make up`, `start`, `stop`, `clean`, `status` and `demo` do."""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy.local import api, sandbox
from deploy.local.bus import remove_bus
from deploy.local.choice import choose
from deploy.local.databases import drop_database, empty_database
from deploy.local.errors import LocalError
from deploy.local.processes import end, last_lines
from deploy.local.server_processes import ROOT, embedded_postgres
from deploy.local.servers import EMBEDDED, database_named_in, with_database
from deploy.local.settings import LocalSettings
from deploy.local.stack import Stack, end_processes
from deploy.local.state import Run, StateDir

Say = Callable[[str], None]
_SUPERVISOR_SECONDS: Final = 60.0
_STORY_TAIL_LINES: Final = 8
DEMO_LEDGER_MS: Final = 250
"""A network that waits less than others, for a story of seconds."""


async def start(settings: LocalSettings, say: Say) -> int:
    """Start a stack that outlives the launcher."""
    run = StateDir(settings.state_dir).run()
    if run.processes and all(process.identity.alive() for process in run.processes):
        say(f"runs already at {run.api_url}; `make stop` ends it")
        return 0
    stack = Stack(settings, say=say, supervised=False)
    await stack.start()
    _introduce(stack, say)
    say(f"  more     {stack.state.run_env}")
    return 0


async def up(settings: LocalSettings, say: Say) -> int:
    """Start a stack and stay with it until Ctrl-C."""
    async with _supervised(settings, say) as stack:
        _introduce(stack, say)
        say("\nCtrl-C stops it; the data stays.")
        await _told_to_stop()
        say("\nstopping")
    return 0


async def stop(settings: LocalSettings, say: Say) -> int:
    """End exactly what was started in this state directory."""
    state = StateDir(settings.state_dir)
    run = state.run()
    if not run.processes and run.supervisor is None:
        say("nothing runs here")
        return 0
    await _stop(state, run)
    say("stopped; the data stays")
    return 0


async def clean(settings: LocalSettings, say: Say) -> int:
    """Stop, then drop the database, its roles, the names on the bus and the state directory."""
    state = StateDir(settings.state_dir)
    if not state.exists():
        say("nothing to clean")
        return 0
    await _stop(state, state.run())
    with state.locked():
        origin = state.origin()
        embedded_postgres(settings, state.secrets()).remove()
        if (origin.postgres, origin.broker) != (EMBEDDED, EMBEDDED):
            await _leave_servers(settings, state, say)
        state.remove()
    say(f"clean: {state.path} and everything it named is gone")
    return 0


async def status(settings: LocalSettings, say: Say) -> int:
    """Say what runs; 0 when all of it is ready."""
    run = StateDir(settings.state_dir).run()
    troubles = 0
    for process in run.processes:
        trouble = "" if process.identity.alive() else "gone"
        if not trouble and process.service:
            trouble = await api.ready(process.health_port)
        elif not trouble and process.name == sandbox.NAME:
            trouble = await sandbox.health(sandbox.url_of(process.health_port))
        troubles += bool(trouble)
        say(f"  {process.name:<12} pid {process.pid:<8} {trouble or 'ready'}")
    say(f"  API           {run.api_url}" if run.processes else "nothing runs here")
    return 0 if run.processes and not troubles else 1


async def demo(settings: LocalSettings, say: Say, *, named: bool) -> int:
    """Tell the marketplace story on a stack of its own, then leave nothing behind. `named`: the person chose the directory."""
    fresh = not (named and StateDir(settings.state_dir).exists())
    if not named:
        server = with_database(settings.database_url, "") if settings.database_url else ""
        settings = replace(settings, state_dir=_temporary(), port=0, database_url=server)
    settings = replace(settings, ledger_ms=min(settings.ledger_ms, DEMO_LEDGER_MS))
    try:
        async with _supervised(settings, say) as stack:
            result = await _tell(stack)
            if result != 0:
                _show_logs(stack, say)
    finally:
        if fresh:
            await clean(settings, _silent)
            shutil.rmtree(settings.state_dir, ignore_errors=True)
    return result


@contextlib.asynccontextmanager
async def _supervised(settings: LocalSettings, say: Say) -> AsyncIterator[Stack]:
    stack = Stack(settings, say=say, supervised=True)
    await stack.start()
    try:
        watch = asyncio.create_task(stack.supervise())
        try:
            yield stack
        finally:
            watch.cancel()
            await asyncio.wait([watch])
    finally:
        await stack.stop()


async def _told_to_stop() -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


async def _tell(stack: Stack) -> int:
    arguments = (sys.executable, "-m", "deploy.local.story")
    environment = {**stack.settings.base_environment, **stack.shell}
    story = await asyncio.create_subprocess_exec(*arguments, env=environment, cwd=ROOT)
    try:
        return await story.wait()
    finally:
        if story.returncode is None:
            story.kill()
            await story.wait()


async def _stop(state: StateDir, run: Run) -> None:
    if run.supervisor is not None and run.supervisor.identity.alive():
        # It ends its own processes; ending them here would make it start them again.
        await end(run.supervisor.identity, stop_signal=signal.SIGTERM, deadline_seconds=_SUPERVISOR_SECONDS)
    with state.locked():
        await end_processes(state.run().processes)
        state.forget_run()


async def _leave_servers(settings: LocalSettings, state: StateDir, say: Say) -> None:
    try:
        choice = await choose(settings, state.origin())
        if choice.broker_url:
            await remove_bus(choice.broker_url, settings.bus_prefix)
        if choice.postgres_url and settings.database_url and database_named_in(settings.database_url):
            await empty_database(choice.postgres_url)
        elif choice.postgres_url:
            await drop_database(with_database(choice.postgres_url, "postgres"), settings.database)
    except LocalError as error:
        say(f"left behind: database {settings.database}, queues {settings.bus_prefix}* ({error})")


def _temporary() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="offerhub-demo-")).resolve()
    directory.chmod(0o711)  # an embedded Postgres started by root runs as nobody, and must get through
    return directory


def _introduce(stack: Stack, say: Say) -> None:
    kinds = stack.state.origin()
    say(f"\n  Postgres {kinds.postgres}, broker {kinds.broker}")
    say(f"  API      {stack.api_url}")
    say(f"  docs     {stack.api_url}/docs")
    say(f"  key      {stack.shell.get('OFFERHUB_API_KEY', '')}  (read, write)")
    say(f"  support  {stack.shell.get('OFFERHUB_SUPPORT_KEY', '')}  (read, write, support)")
    say(f"  logs     {stack.state.logs}")
    if stack.settings.horizon_url and stack.settings.processes["payouts"]:
        say(
            f"  Stellar  {stack.settings.horizon_url}; `make prepare` makes the platform's accounts there, or says what they lack"
        )


def _show_logs(stack: Stack, say: Say) -> None:
    for child in stack.processes.values():
        say(f"\n{child.command.name}:\n{last_lines(child.command.log, _STORY_TAIL_LINES)}")


def _silent(_: str) -> None:
    pass
