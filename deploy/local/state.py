"""What a stack remembers in its state directory. Everything in it is readable by its owner only."""

import contextlib
import errno
import fcntl
import os
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from deploy.local.errors import LocalError
from deploy.local.processes import Identity
from deploy.local.stellar_keys import new_secret

_PRIVATE: Final = 0o600
_OURS: Final = (
    *("api_keys.json", "origin.json", "run.json", "run.env", "secrets.json", "lock"),
    *("logs", "run", "postgres", "chain"),
)
Kept = TypeVar("Kept", bound=msgspec.Struct)


class Secrets(msgspec.Struct, frozen=True):
    """Made once per stack. Keys of rings are `name:hex`, so that a second one can be added without losing the first."""

    master_key: str
    key_pepper: str
    wallet_keys: str
    webhook_secret_keys: str
    db_role_secret: str
    postgres_password: str
    stellar_issuer: str = ""
    """Issues the dollars of the stack's own Stellar network. Empty, like those below, in a stack older than its network."""
    stellar_sponsor: str = ""
    stellar_treasury: str = ""
    signer_db_secret: str = ""


class ApiKeys(msgspec.Struct, frozen=True):
    """Keys made over the API: (read, write) and (read, write, support)."""

    api_key: str
    support_key: str


class Origin(msgspec.Struct, frozen=True):
    """Which servers this stack's data is on; `embedded` or host:port."""

    postgres: str = ""
    broker: str = ""


class RunningProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the run. `service` is empty for the embedded servers."""

    name: str
    pid: int
    started: float
    stop_signal: int
    service: str = ""
    number: int = 0
    health_port: int = 0

    @property
    def identity(self) -> Identity:
        """The process, told apart from a later one with the same pid."""
        return Identity(self.pid, self.started)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What runs now, in start order."""

    processes: tuple[RunningProcess, ...] = ()
    supervisor: RunningProcess | None = None
    api_url: str = ""


class StateDir:
    """The state directory of one stack."""

    def __init__(self, path: Path) -> None:
        """Name the directory; nothing is made before `make`."""
        self.path = path
        self.run_env = path / "run.env"
        self.logs = path / "logs"
        self.ports = path / "run"
        self.chain = path / "chain"

    def exists(self) -> bool:
        """Tell whether the directory is there."""
        return self.path.exists()

    def make(self) -> None:
        """Create the directory and its rooms."""
        if not self.path.exists():
            self.path.mkdir(parents=True)
            # Others may pass through but not look around: an embedded Postgres started by root runs as nobody.
            self.path.chmod(0o711)
        self.logs.mkdir(exist_ok=True, mode=0o700)
        self.ports.mkdir(exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other launchers out of this directory.

        Raises:
            LocalError: another launcher is at work in it.
        """
        self.make()
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EACCES}:
                    raise
                raise LocalError(
                    f"another launcher is starting or stopping the stack in {self.path}; try again shortly"
                ) from None
            yield

    def secrets(self) -> Secrets:
        """Return the stack's secrets; the first call makes them."""
        kept = self._read("secrets.json", Secrets)
        whole = self._completed(kept)
        if whole != kept:
            self._write("secrets.json", whole)
        return whole

    @staticmethod
    def _completed(kept: Secrets | None) -> Secrets:
        """Make up what is lacking: all of it in a new stack, what there was no need of in an old one."""
        if kept is None:
            kept = Secrets(
                master_key=f"ohk_master_{secrets.token_hex(24)}",
                key_pepper=secrets.token_hex(32),
                wallet_keys=f"local:{secrets.token_hex(32)}",
                webhook_secret_keys=f"local:{secrets.token_hex(32)}",
                db_role_secret=secrets.token_hex(32),
                postgres_password=secrets.token_hex(24),
            )
        return msgspec.structs.replace(
            kept,
            stellar_issuer=kept.stellar_issuer or new_secret(),
            stellar_sponsor=kept.stellar_sponsor or new_secret(),
            stellar_treasury=kept.stellar_treasury or new_secret(),
            signer_db_secret=kept.signer_db_secret or secrets.token_hex(32),
        )

    def api_keys(self) -> ApiKeys | None:
        """Return the keys made earlier, if any."""
        return self._read("api_keys.json", ApiKeys)

    def keep_api_keys(self, keys: ApiKeys) -> None:
        """Remember the keys; the API shows them only once."""
        self._write("api_keys.json", keys)

    def origin(self) -> Origin:
        """Return which servers the data is on."""
        return self._read("origin.json", Origin) or Origin()

    def keep_origin(self, origin: Origin) -> None:
        """Remember which servers the data is on."""
        self._write("origin.json", origin)

    def run(self) -> Run:
        """Return what was started and not stopped."""
        return self._read("run.json", Run) or Run()

    def keep_run(self, run: Run) -> None:
        """Remember what runs."""
        self._write("run.json", run)

    def keep_run_env(self, variables: Mapping[str, str]) -> None:
        """Write run.env, for `set -a; . .local/run.env`."""
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
        self._replace(self.run_env, "".join(lines).encode())

    def run_variables(self) -> dict[str, str]:
        """Read run.env."""
        words = shlex.split(self.run_env.read_text()) if self.run_env.exists() else []
        return dict(word.split("=", 1) for word in words)

    def forget_run(self) -> None:
        """Forget what ran: it has stopped."""
        for path in (self.path / "run.json", self.run_env, *self.ports.glob("*")):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete what is ours, and the directory when nothing else is in it: a person may have named their home."""
        for path in (*(self.path / name for name in _OURS), *self.path.glob("broker.snapshot*")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def _read(self, name: str, kind: type[Kept]) -> Kept | None:
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise LocalError(f"{path} is damaged ({error}); `make clean` starts afresh") from None

    def _write(self, name: str, value: msgspec.Struct) -> None:
        self._replace(self.path / name, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")

    @staticmethod
    def _replace(path: Path, content: bytes) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb") as file:
            file.write(content)
        draft.replace(path)
