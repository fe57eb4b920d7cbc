import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from deploy.local.processes import Child, Command, Identity, end, last_lines, spawn

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def run(program: str, log: Path) -> Child:
    return spawn(
        Command(name="program", arguments=[sys.executable, "-c", program], environment=dict(os.environ), log=log, cwd=log.parent)
    )


def test_a_reused_pid_is_never_signalled(tmp_path: Path) -> None:
    child = run(SLEEP, tmp_path / "log")
    earlier = Identity(child.identity.pid, child.identity.started - 100)
    try:
        assert not earlier.alive()
        earlier.signal(signal.SIGKILL)
        assert asyncio.run(end(earlier, stop_signal=signal.SIGKILL, deadline_seconds=1))
        assert child.exit_status() is None
        assert child.identity.alive()
    finally:
        child.popen.kill()
        child.popen.wait()


def test_a_process_nobody_waited_for_counts_as_gone(tmp_path: Path) -> None:
    child = run("", tmp_path / "log")
    assert os.waitid(os.P_PID, child.identity.pid, os.WEXITED | os.WNOWAIT) is not None
    assert not child.identity.alive()
    child.popen.wait()


def test_one_that_does_not_stop_is_killed_at_the_deadline(tmp_path: Path) -> None:
    child = run(DEAF, tmp_path / "log")
    deadline = time.monotonic() + 20
    while "deaf" not in last_lines(tmp_path / "log", 5):
        assert time.monotonic() < deadline
    assert not asyncio.run(end(child.identity, stop_signal=signal.SIGTERM, deadline_seconds=0.2))
    assert child.popen.wait() == -signal.SIGKILL


def test_a_child_is_in_a_session_of_its_own_so_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    child = run(SLEEP, tmp_path / "log")
    try:
        assert os.getsid(child.identity.pid) == child.identity.pid
    finally:
        child.popen.kill()
        child.popen.wait()


def test_what_it_prints_is_appended_to_its_log(tmp_path: Path) -> None:
    for word in ("one", "two"):
        assert run(f"print({word!r})", tmp_path / "log").popen.wait() == 0
    assert last_lines(tmp_path / "log", 5) == "    one\n    two"
