"""The launcher with real services: one supervised stack on embedded servers, and one that outlives its launcher."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from deploy.local import settings
from deploy.local.errors import LocalError
from deploy.local.launcher import clean
from deploy.local.processes import Identity
from deploy.local.stack import Stack
from deploy.local.state import Run, RunningProcess, StateDir
from deploy.local.stellar_keys import address_of
from tests.support.chain import PASSPHRASE, address
from tests.support.horizon import sandbox

FEW = "ledger=1,gateway=2,escrow=0,payouts=0,webhooks=0"
SECONDS = 40.0


def environment(state: Path, **others: str) -> dict[str, str]:
    return {**os.environ, "OFFERHUB_STATE_DIR": str(state), "PORT": "0", "OFFERHUB_PROCESSES": FEW, **others}


async def until(fact: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + SECONDS
    while not await fact():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def makes_a_user(shell: dict[str, str], name: str) -> bool:
    """Whether a command makes it through gateway, bus, ledger and back."""
    headers = {"Authorization": f"Bearer {shell['OFFERHUB_API_KEY']}", "Idempotency-Key": name}
    body = {"external_user_id": name, "email": f"{name}@example.com", "type": "BUYER"}
    try:
        async with httpx.AsyncClient(timeout=15.0) as client:
            answer = await client.post(f"{shell['OFFERHUB_API_URL']}/users", headers=headers, json=body)
    except httpx.HTTPError:
        return False
    return answer.is_success


async def last_ledger(shell: dict[str, str]) -> int:
    """How far the stack's own Stellar network is; 0 when it is not the one run.env describes."""
    async with httpx.AsyncClient(timeout=15.0) as client:
        root = (await client.get(shell["STELLAR_HORIZON_URL"])).json()
    return int(root["core_latest_ledger"]) if root["network_passphrase"] == shell["STELLAR_NETWORK_PASSPHRASE"] else 0


async def test_a_supervised_stack_survives_the_kill_of_each_of_its_processes(tmp_path: Path) -> None:
    said: list[str] = []
    local = settings.read(environment(tmp_path / "state", OFFERHUB_LOCAL="embedded", OFFERHUB_PROCESSES=f"{FEW},payouts=1"))
    stack = Stack(local, say=said.append, supervised=True)
    await stack.start()
    watch = asyncio.create_task(stack.supervise())
    try:
        assert set(stack.processes) == {
            "broker",
            "postgres",
            "horizon",
            "signer-1",
            "ledger-1",
            "payouts-1",
            "gateway-1",
            "gateway-2",
        }
        assert await makes_a_user(stack.shell, "before")
        ledger = await last_ledger(stack.shell)
        for name in list(stack.processes):
            victim = stack.processes[name].identity
            os.kill(victim.pid, signal.SIGKILL)

            async def back(name: str = name, victim: Identity = victim) -> bool:
                return stack.processes[name].identity != victim and await makes_a_user(stack.shell, f"after-{name}")

            await until(back)
        assert await last_ledger(stack.shell) > ledger > 0

        async def all_is_ready() -> bool:
            return (await asyncio.to_thread(launch, "status", dict(local.base_environment))).returncode == 0

        await until(all_is_ready)
        ended = [line for line in said if "ended by signal 9" in line]
        assert {line.split()[0] for line in ended} == set(stack.processes)
    finally:
        watch.cancel()
        await asyncio.wait([watch])
        identities = [child.identity for child in stack.processes.values()]
        await stack.stop()
    assert not any(identity.alive() for identity in identities)
    await clean(local, said.append)
    assert not (tmp_path / "state").exists()


async def test_a_stack_that_runs_is_not_started_twice(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.make()
    me = Identity.of(os.getpid())
    assert me is not None
    supervisor = RunningProcess(name="launcher", pid=me.pid, started=me.started, stop_signal=signal.SIGTERM)
    state.keep_run(Run(supervisor=supervisor))
    stack = Stack(settings.read(environment(tmp_path)), supervised=False)
    with pytest.raises(LocalError, match="runs already"):
        await stack.start()
    assert me.alive()


async def test_a_start_that_fails_leaves_nothing_running_and_shows_the_log(tmp_path: Path) -> None:
    broken = environment(tmp_path / "state", OFFERHUB_LOCAL="embedded", OFFERHUB_POOL_SIZE="many")
    local = settings.read(broken)
    with pytest.raises(LocalError, match=r"(?s)ended with status 1; its log .*pool_size|OFFERHUB_POOL_SIZE"):
        await Stack(local, supervised=False).start()
    assert StateDir(local.state_dir).run() == Run()
    await clean(local, lambda _: None)


def launch(command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "deploy.local", command]
    return subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_a_stack_outlives_its_launcher_and_stops_without_touching_another(tmp_path: Path) -> None:
    ours, theirs = environment(tmp_path / "ours"), environment(tmp_path / "theirs")
    try:
        for env in (ours, theirs):
            assert launch("start", env).returncode == 0
        first, second = StateDir(tmp_path / "ours").run(), StateDir(tmp_path / "theirs").run()
        assert launch("start", ours).stdout.startswith("runs already")
        assert StateDir(tmp_path / "ours").run() == first
        assert launch("stop", ours).returncode == 0
        assert not any(process.identity.alive() for process in first.processes)
        assert all(process.identity.alive() for process in second.processes)
        assert launch("clean", ours).returncode == 0
        assert launch("status", theirs).returncode == 0
    finally:
        for env in (ours, theirs):
            launch("clean", env)


async def test_a_stack_on_another_network_says_how_its_accounts_are_made_there(tmp_path: Path) -> None:
    async with sandbox(tmp_path / "chain", close_ms=100) as chain:
        await chain.http.get("/friendbot", params={"addr": address("issuer")})
        there = {
            "STELLAR_HORIZON_URL": chain.url,
            "STELLAR_NETWORK": "testnet",
            "STELLAR_NETWORK_PASSPHRASE": PASSPHRASE,
            "STELLAR_USDC_ISSUER": address("issuer"),
        }
        env = environment(tmp_path / "state", OFFERHUB_PROCESSES=f"{FEW},payouts=1", **there)
        try:
            started = await asyncio.to_thread(launch, "start", env)
            assert started.returncode == 0, started.stderr
            assert any(chain.url in line and "make prepare" in line for line in started.stdout.splitlines())
            lacking = await asyncio.to_thread(launch, "prepare", env)
            sponsor = address_of(StateDir(tmp_path / "state").secrets().stellar_sponsor)
            assert lacking.returncode == 1
            assert f"sponsor  {sponsor} is not there; send it" in lacking.stdout
            await chain.http.get("/friendbot", params={"addr": sponsor})
            assert (await asyncio.to_thread(launch, "prepare", env)).returncode == 0
        finally:
            await asyncio.to_thread(launch, "clean", env)
