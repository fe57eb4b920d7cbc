import stat
from pathlib import Path

import msgspec
import pytest
from stellar_sdk import Keypair

from deploy.local.errors import LocalError
from deploy.local.state import ApiKeys, Origin, Run, RunningProcess, StateDir
from deploy.local.stellar_keys import address_of


def made(path: Path) -> StateDir:
    state = StateDir(path)
    state.make()
    return state


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    state = made(tmp_path / "state")
    first = state.secrets()
    assert StateDir(state.path).secrets() == first
    assert stat.S_IMODE((state.path / "secrets.json").stat().st_mode) == 0o600
    assert first.master_key.startswith("ohk_master_")
    assert len(first.master_key) == len("ohk_master_") + 48
    assert [len(ring.removeprefix("local:")) for ring in (first.wallet_keys, first.webhook_secret_keys)] == [64, 64]


def test_a_stack_that_is_older_than_its_network_gets_the_secrets_it_lacks_and_keeps_the_others(tmp_path: Path) -> None:
    state = made(tmp_path / "state")
    first = msgspec.to_builtins(state.secrets())
    old = {name: value for name, value in first.items() if not name.startswith("stellar")}
    (state.path / "secrets.json").write_bytes(msgspec.json.encode(old))
    again = state.secrets()
    assert msgspec.to_builtins(again).items() >= old.items()
    assert Keypair.from_secret(again.stellar_issuer).public_key == address_of(again.stellar_issuer)
    assert StateDir(state.path).secrets() == again
    assert len({again.stellar_issuer, again.stellar_sponsor, again.stellar_treasury}) == 3


def test_two_stacks_have_different_secrets(tmp_path: Path) -> None:
    assert made(tmp_path / "a").secrets() != made(tmp_path / "b").secrets()


def test_a_second_launcher_is_kept_out(tmp_path: Path) -> None:
    with StateDir(tmp_path).locked(), pytest.raises(LocalError, match="another launcher"), StateDir(tmp_path).locked():
        pass
    with StateDir(tmp_path).locked():
        pass


def test_what_runs_is_remembered_until_it_is_forgotten(tmp_path: Path) -> None:
    state = made(tmp_path / "state")
    process = RunningProcess(name="ledger-1", pid=7, started=1.5, stop_signal=15, service="ledger", number=1, health_port=99)
    state.keep_run(Run(processes=(process,), api_url="http://127.0.0.1:4000/api/v1"))
    assert StateDir(state.path).run().processes == (process,)
    state.forget_run()
    assert state.run() == Run()


def test_run_env_survives_a_shell(tmp_path: Path) -> None:
    state = made(tmp_path / "state")
    state.keep_run_env({"PLAIN": "http://127.0.0.1:4000/api/v1", "ODD": "a 'b' $c"})
    assert state.run_env.read_text() == "PLAIN=http://127.0.0.1:4000/api/v1\nODD='a '\"'\"'b'\"'\"' $c'\n"
    assert stat.S_IMODE(state.run_env.stat().st_mode) == 0o600


def test_removing_takes_only_what_the_launcher_made(tmp_path: Path) -> None:
    state = made(tmp_path / "home")
    state.secrets()
    state.keep_api_keys(ApiKeys(api_key="a", support_key="b"))
    state.keep_origin(Origin(postgres="embedded", broker="embedded"))
    (state.path / "broker.snapshot.loaded").touch()
    (state.path / "thesis.txt").write_text("years of work")
    state.remove()
    assert [path.name for path in state.path.iterdir()] == ["thesis.txt"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    state = made(tmp_path / "state")
    (state.path / "secrets.json").write_text("{")
    with pytest.raises(LocalError, match=r"secrets\.json is damaged"):
        state.secrets()
