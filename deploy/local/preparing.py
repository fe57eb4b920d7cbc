"""`make prepare`: the platform's accounts on a Stellar network that is not the stack's own."""

import asyncio
import sys

import psutil

from deploy.local.errors import LocalError
from deploy.local.server_processes import ROOT
from deploy.local.settings import LocalSettings
from deploy.local.state import StateDir


async def prepare(settings: LocalSettings, *, is_check: bool) -> int:
    """Have payouts say what the network lacks and make it, with the environment of the payouts process that runs.

    Raises:
        LocalError: none runs.
    """
    run = StateDir(settings.state_dir).run()
    payouts = next((process for process in run.processes if process.service == "payouts" and process.identity.alive()), None)
    if payouts is None:
        raise LocalError("no payouts process runs here; `make start` first")
    arguments = (sys.executable, "-m", "services.payouts", "prepare", *(["--check"] if is_check else []))
    child = await asyncio.create_subprocess_exec(*arguments, env=psutil.Process(payouts.pid).environ(), cwd=ROOT)
    try:
        return await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
