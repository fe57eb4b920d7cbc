import pytest

from deploy.local.errors import LocalError
from deploy.local.settings import Mode, read

HERE = {"OFFERHUB_STATE_DIR": "/somewhere/.local"}


def test_names_come_from_the_state_directory_so_two_stacks_share_none() -> None:
    here, there = read(HERE), read({"OFFERHUB_STATE_DIR": "/elsewhere/.local"})
    assert here.database == read(HERE).database
    assert {here.database, here.bus_prefix}.isdisjoint({there.database, there.bus_prefix})
    assert here.database == f"offerhub_{here.stack_hash}"
    assert here.bus_prefix == f"oh_{here.stack_hash}."


def test_processes_per_service_default_to_one() -> None:
    counts = read({**HERE, "OFFERHUB_PROCESSES": "ledger=2, gateway=3,"}).processes
    assert counts == {"ledger": 2, "escrow": 1, "payouts": 1, "webhooks": 1, "gateway": 3}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OFFERHUB_LOCAL", "docker", "OFFERHUB_LOCAL is 'docker'"),
        ("PORT", "70000", "PORT is '70000'"),
        ("PORT", "-1", "PORT is '-1'"),
        ("PORT", "٤٠٠٠", "PORT is"),
        ("OFFERHUB_PROCESSES", "ledger=many", "OFFERHUB_PROCESSES for ledger is 'many'"),
        ("OFFERHUB_PROCESSES", "bank=1", "OFFERHUB_PROCESSES names 'bank'"),
    ],
)
def test_a_value_that_is_not_understood_is_named(name: str, value: str, told: str) -> None:
    with pytest.raises(LocalError, match=told.replace("(", r"\(")):
        read({**HERE, name: value})


def test_servers_the_environment_names_are_taken() -> None:
    local = read({**HERE, "DATABASE_URL": "postgresql://u@h/mine", "AMQP_URL": "amqp://h/", "OFFERHUB_LOCAL": "servers"})
    assert (local.database_url, local.amqp_url, local.mode) == ("postgresql://u@h/mine", "amqp://h/", Mode.SERVERS)


def test_a_network_the_environment_names_is_taken() -> None:
    assert read({**HERE, "STELLAR_HORIZON_URL": "https://horizon.example"}).horizon_url == "https://horizon.example"


def test_a_shell_that_sourced_a_run_env_does_not_lend_that_stack_to_this_one() -> None:
    sourced = {**HERE, "DATABASE_URL": "postgresql://u@h/offerhub_0123456789", "AMQP_URL": "amqp://h/"}
    local = read({**sourced, "STELLAR_HORIZON_URL": "http://127.0.0.1:1"})
    assert (local.database_url, local.amqp_url, local.horizon_url) == ("", "", "")
