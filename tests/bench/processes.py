"""What processes cost, from /proc: CPU and memory."""

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
Watched = dict[str, list[int]]
"""Names of what is watched, with their pids."""
Sample = dict[str, dict[int, float]]
"""CPU seconds so far, by name and pid."""


def cpu_seconds(pid: int) -> float:
    """Return the user and system time a process has used; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def machine_seconds() -> float:
    """Return the CPU time of all processes on the machine, all cores together; interrupts are nobody's."""
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system) / _TICKS


def sample(watched: Watched, database: str) -> Sample:
    """Look at what each process has used; the backends of `database` and any RabbitMQ are found by their command lines."""
    pids = {name: list(found) for name, found in watched.items()}
    backends = pids.setdefault("Postgres", [])
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"postgres:") and f" {database} ".encode() in command:
            backends.append(int(entry.name))
        elif b"beam.smp" in command and "broker" not in watched:
            pids.setdefault("broker", []).append(int(entry.name))
    return {name: {pid: cpu_seconds(pid) for pid in found} for name, found in pids.items()}


def spent(before: Sample, after: Sample) -> dict[str, float]:
    """Return CPU seconds between two looks by name; what ended in between is not counted."""
    return {
        name: sum(seconds - before.get(name, {}).get(pid, 0.0) for pid, seconds in found.items()) for name, found in after.items()
    }


def memory_mb(pid: int) -> tuple[float, float]:
    """Return (RSS, PSS) of a process in MB (10⁶ bytes); PSS counts a page shared by n processes as 1/n."""
    found = {"Rss:": 0, "Pss:": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, *rest = line.split()
        if name in found:
            found[name] = int(rest[0]) * 1024
    return found["Rss:"] / 1e6, found["Pss:"] / 1e6
