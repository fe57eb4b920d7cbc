"""The signer: who may read its secrets, what it signs, what it refuses, and what it writes down."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest
from pydantic import SecretStr
from stellar_sdk import Keypair, TransactionEnvelope

from libs.common.kernel.errors import InvariantViolationError
from libs.common.kernel.ids import Tenant, new_id
from libs.common.messaging import faults
from libs.common.persistence.migrate import migrate
from libs.common.persistence.pool import open_pool, role_url
from libs.common.persistence.sealing import KeyRing
from services.payouts.clients.key_provider import EnvironmentKeys, KeyRef
from services.payouts.clients.signer import SignerClient, SignerRefusedError
from services.payouts.clients.transactions import build
from services.payouts.domain.signing import Reply, Request, WalletName
from services.payouts.domain.transactions import Pay, Transaction, creation
from services.payouts.entrypoints.mover import move_once
from services.payouts.entrypoints.rotation import rotate
from services.payouts.entrypoints.signer_socket import listening
from services.payouts.handlers import rotate_keys
from services.payouts.settings import PayoutsSettings, SignerSettings
from services.payouts.store.signatures import first_broken
from tests.support.chain import PASSPHRASE, address, key
from tests.support.dumps import places, spellings
from tests.support.payouts import a_signer
from tests.support.workers import ROLE_SECRET

pytestmark = pytest.mark.integration
SPONSOR, DOLLAR = address("sponsor"), f"USDC:{address('issuer')}"
END = 1_900_000_000
OLD, NEW = f"test:{'6b' * 32}", f"test.2:{'7c' * 32}"


@pytest.fixture
def client(signer: SignerSettings) -> SignerClient:
    return SignerClient(signer.signer_socket)


async def pool_as(postgres_url: str, role: str) -> asyncpg.Pool:
    url = role_url(postgres_url, service=role, secret=ROLE_SECRET)
    return await open_pool(url, schema="payouts", size=2, application="test")


async def add_wallet(owner: asyncpg.Connection, tenant: Tenant, name: WalletName, public_key: str, secret: bytes = b"") -> None:
    """A wallet in the books, as payouts writes it; with a secret, as it was written before."""
    await owner.execute(
        "INSERT INTO payouts.wallets (tenant, id, user_id, public_key, provider, network, sealed_secret, sequence, created_at)"
        " VALUES ($1, $2, $3, $4, 'stellar', 'testnet', $5, 1, now())",
        *(tenant, name.wallet_id, f"usr{name.wallet_id[3:]}", public_key, secret),
    )


async def intend(owner: asyncpg.Connection, names: list[WalletName], wanted: Transaction) -> tuple[str, str]:
    """An open intent to make these wallets' accounts, and its envelope."""
    await owner.execute("UPDATE payouts.creations SET state = 'done'")
    envelope, intent_id = build(wanted, PASSPHRASE), new_id("crt")
    await owner.execute(
        "INSERT INTO payouts.creations VALUES ($1, 'testnet', $2, $3, $4, $5, $6, '{}', '', $7, $8, 'open', '', now())",
        *(intent_id, SPONSOR, wanted.sequence, [name.tenant for name in names], [name.wallet_id for name in names]),
        *(envelope.hash_hex(), wanted.fee, wanted.max_time),
    )
    return intent_id, envelope.to_xdr()


@pytest.fixture
async def wallets(client: SignerClient, owner: asyncpg.Connection, tenant: Tenant) -> dict[WalletName, str]:
    names = tuple(WalletName(tenant, new_id("wal")) for _ in range(3))
    addresses = await client.mint("testnet", names)
    for name, public_key in zip(names, addresses, strict=True):
        await add_wallet(owner, tenant, name, public_key)
    return dict(zip(names, addresses, strict=True))


def wanted_for(wallets: dict[WalletName, str], **others: Any) -> Transaction:
    operations = creation(tuple(wallets.values()), sponsor=SPONSOR, asset=DOLLAR)
    values: dict[str, Any] = {"source": SPONSOR, "sequence": 9, "fee": 1200, "max_time": END, "operations": operations}
    return Transaction(**values | others)


async def test_only_the_signers_role_reads_secrets_and_nobody_rewrites_the_log(signer: SignerSettings, postgres_url: str) -> None:
    payouts, theirs = await pool_as(postgres_url, "payouts"), await pool_as(postgres_url, "signer")
    for table in ("wallet_secrets", "signatures"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await payouts.fetch(f"SELECT * FROM {table}")
        await theirs.fetch(f"SELECT * FROM {table} LIMIT 1")
    for forbidden in (
        "UPDATE signatures SET reason = ''",
        "DELETE FROM signatures",
        "DELETE FROM wallets",
        "DELETE FROM creations",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await theirs.execute(forbidden)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await theirs.fetch("SELECT * FROM ledger.accounts")
    await payouts.close()
    await theirs.close()


async def test_a_wallets_key_is_the_same_however_often_and_by_whomever_it_is_asked_for(
    client: SignerClient, signer: SignerSettings, postgres_url: str, tenant: Tenant
) -> None:
    names = tuple(WalletName(tenant, new_id("wal")) for _ in range(20))
    async with a_signer(postgres_url) as (second, _):
        clients = [client, SignerClient(second.signer_socket)] * 4
        answers = await asyncio.gather(*(each.mint("testnet", names) for each in clients))
    assert len(set(answers)) == 1
    assert len(set(answers[0])) == 20
    assert await client.mint("testnet", names[5:] + names[:5]) == answers[0][5:] + answers[0][:5]
    with pytest.raises(SignerRefusedError, match="OTHER_NETWORK"):
        await client.mint("mainnet", names)


async def test_an_intent_is_signed_by_all_it_takes_and_stands_in_the_log(
    client: SignerClient, owner: asyncpg.Connection, wallets: dict[WalletName, str]
) -> None:
    intent_id, envelope = await intend(owner, list(wallets), wanted_for(wallets))
    signed = TransactionEnvelope.from_xdr(await client.sign("create-wallets", intent_id, envelope), PASSPHRASE)
    assert signed.to_xdr() == await client.sign("create-wallets", intent_id, envelope)
    assert len(signed.signatures) == 4
    for signature, signer in zip(signed.signatures, [SPONSOR, *wallets.values()], strict=True):
        Keypair.from_public_key(signer).verify(signed.hash(), signature.signature)
    lines = await owner.fetch("SELECT kind, outcome, transaction_hash FROM payouts.signatures WHERE intent_id = $1", intent_id)
    assert [tuple(line) for line in lines] == [("create-wallets", "signed", signed.hash_hex())] * 2


async def test_what_no_intent_asks_for_is_refused_and_logged(
    client: SignerClient, owner: asyncpg.Connection, wallets: dict[WalletName, str], tenant: Tenant
) -> None:
    wanted = wanted_for(wallets)
    intent_id, envelope = await intend(owner, list(wallets), wanted)
    stolen = Pay(next(iter(wallets.values())), address("thief"), DOLLAR, 1)
    other = build(msgspec.structs.replace(wanted, operations=(*wanted.operations[:-1], stolen)), PASSPHRASE).to_xdr()
    not_ours, stray = await intend(owner, [WalletName(tenant, "wal_none")], wanted)
    asked: list[tuple[Any, str, str, str]] = [
        ("create-wallets", intent_id, envelope, "UNKNOWN_INTENT"),  # it is done
        ("create-wallets", not_ours, stray, "UNKNOWN_INTENT"),  # one of its wallets is not in the books
        ("create-wallets", "crt_none", envelope, "UNKNOWN_INTENT"),
        ("set-up", not_ours, envelope, "UNKNOWN_INTENT"),
        ("withdrawal", intent_id, envelope, "UNKNOWN_INTENT"),
        ("sweep", intent_id, envelope, "UNKNOWN_INTENT"),
        ("create-wallets", "crt_any", "nonsense", "UNREADABLE"),
    ]
    open_id, envelope = await intend(owner, list(wallets), wanted)
    asked += [
        ("create-wallets", open_id, other, "OTHER_TRANSACTION"),
        (
            "create-wallets",
            open_id,
            build(wanted, "Another network").to_xdr(),
            "signed",
        ),  # the same bytes: a hash is of a network
        ("bribe", open_id, envelope, "UNREADABLE"),
    ]
    for kind, intent, xdr, code in asked:
        if code == "signed":
            assert xdr == envelope
            continue
        with pytest.raises(SignerRefusedError, match=code):
            await client.sign(kind, intent, xdr)
    logged = await owner.fetch("SELECT kind, intent_id, outcome FROM payouts.signatures ORDER BY position DESC LIMIT 8")
    expected = [(kind, intent, code) for kind, intent, _, code in asked if kind != "bribe" and code != "signed"]
    assert [tuple(line) for line in reversed(logged)] == expected


async def test_a_stored_hash_is_not_enough_when_the_operations_are_not_those_of_the_intent(
    client: SignerClient, owner: asyncpg.Connection, wallets: dict[WalletName, str]
) -> None:
    first = next(iter(wallets.values()))
    for change in ({"operations": (Pay(first, address("thief"), DOLLAR, 1),) * 12}, {"source": first}):
        intent_id, envelope = await intend(owner, list(wallets), wanted_for(wallets, **change))
        with pytest.raises(SignerRefusedError, match="OTHER_"):
            await client.sign("create-wallets", intent_id, envelope)


async def test_a_line_that_is_changed_or_taken_out_of_the_log_is_found(
    client: SignerClient, owner: asyncpg.Connection, postgres_url: str
) -> None:
    for _ in range(3):
        with pytest.raises(SignerRefusedError):
            await client.sign("sweep", "swp_none", "nonsense")
    pool = await pool_as(postgres_url, "signer")
    assert await first_broken(pool) is None
    await owner.execute("SET search_path TO payouts")
    last = await owner.fetchval("SELECT max(position) FROM payouts.signatures")
    for change in ("SET outcome = 'signed'", "SET position = position + 1000000"):
        transaction = owner.transaction()
        await transaction.start()
        await owner.execute(f"UPDATE payouts.signatures {change} WHERE position = $1", last - 1)
        assert await first_broken(owner) == last - 1  # type: ignore[arg-type] # a connection reads as a pool does
        await transaction.rollback()
    await pool.close()


async def test_strangers_are_turned_away_before_they_are_heard(signer: SignerSettings) -> None:
    async def answer(_: Request) -> Reply:
        raise AssertionError

    path = f"{signer.signer_socket}.guarded"
    async with listening(path, answer, users=()):
        with pytest.raises(SignerRefusedError, match="STRANGER"):
            await SignerClient(path).accounts()


async def test_a_seed_is_nowhere_in_clear_and_opens_for_its_own_wallet_only(
    client: SignerClient, owner: asyncpg.Connection, wallets: dict[WalletName, str]
) -> None:
    [one, two, three] = wallets
    await owner.execute(
        "UPDATE payouts.wallet_secrets a SET wrapped_key = b.wrapped_key, sealed_seed = b.sealed_seed"
        " FROM payouts.wallet_secrets b WHERE a.wallet_id = $1 AND b.wallet_id = $2",
        *(one.wallet_id, two.wallet_id),
    )
    intent_id, envelope = await intend(owner, [one, two, three], wanted_for(wallets))
    with pytest.raises(SignerRefusedError, match="BROKEN"):
        await client.sign("create-wallets", intent_id, envelope)
    for name in ("sponsor", "treasury"):
        assert await places(owner, *spellings(key(name).secret.encode()), *spellings(key(name).raw_secret_key())) == set()


async def test_rotation_goes_on_after_a_kill_and_leaves_nothing_to_the_old_key(
    owner: asyncpg.Connection, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(own_database, role_secret=ROLE_SECRET)
    monkeypatch.setattr(rotate_keys, "BATCH_ROWS", 10)
    mine = await asyncpg.connect(own_database)
    names = tuple(WalletName("a:live", f"wal_{number:03}") for number in range(35))
    async with a_signer(own_database, wallet_keys=OLD) as (settings, _):
        addresses = await SignerClient(settings.signer_socket).mint("testnet", names)
    both = settings.model_copy(update={"wallet_keys": SecretStr(f"{NEW},{OLD}")})
    passed: list[None] = []

    def die_in_the_second_batch() -> None:
        passed.append(None)
        if len(passed) == 2:
            raise faults.KilledError

    faults.set_trap("keys.rewrapped", die_in_the_second_batch)
    with pytest.raises(faults.KilledError):
        await rotate(both)
    faults.clear_traps()
    assert await mine.fetchval("SELECT count(*) FROM payouts.wallet_secrets WHERE kek_version = 2") == 10
    wallets = dict(zip(names, addresses, strict=True))
    for name, public_key in list(wallets.items())[:11]:
        await add_wallet(mine, Tenant("a:live"), name, public_key)
    some = dict(list(wallets.items())[:11])
    intent_id, envelope = await intend(mine, list(some), wanted_for(some, fee=4400))
    async with a_signer(own_database, wallet_keys=f"{NEW},{OLD}") as (during, _):
        assert await SignerClient(during.signer_socket).sign("create-wallets", intent_id, envelope)
    assert await rotate(both) == 25
    assert await rotate(both) == 0
    async with a_signer(own_database, wallet_keys=NEW) as (after, _):
        assert await SignerClient(after.signer_socket).sign("create-wallets", intent_id, envelope)
    async with a_signer(own_database, wallet_keys=OLD) as (before, _):
        with pytest.raises(SignerRefusedError, match="BROKEN"):
            await SignerClient(before.signer_socket).sign("create-wallets", intent_id, envelope)
    with pytest.raises(InvariantViolationError, match=r"no key test\.2"):
        await rotate(settings.model_copy(update={"wallet_keys": SecretStr(f"third:{'8d' * 32}")}))
    await mine.close()


async def test_secrets_of_before_are_taken_over_and_a_kill_in_between_loses_none(
    client: SignerClient, config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant, postgres_url: str
) -> None:
    ring = KeyRing.parse(OLD, entropy=bytes)
    pairs = {WalletName(tenant, new_id("wal")): Keypair.random() for _ in range(3)}
    for name, pair in pairs.items():
        sealed = ring.seal(pair.secret.encode(), tenant, f"usr{name.wallet_id[3:]}", pair.public_key)
        await add_wallet(owner, tenant, name, pair.public_key, sealed)
    pool = await pool_as(postgres_url, "payouts")

    def die() -> None:
        raise faults.KilledError

    faults.set_trap("secrets.moved", die)
    with pytest.raises(faults.KilledError):
        await move_once(pool, client, config.network)
    faults.clear_traps()
    assert await move_once(pool, client, config.network) == 3
    assert await move_once(pool, client, config.network) == 0
    wallets = {name: pair.public_key for name, pair in pairs.items()}
    intent_id, envelope = await intend(owner, list(wallets), wanted_for(wallets))
    signed = TransactionEnvelope.from_xdr(await client.sign("create-wallets", intent_id, envelope), PASSPHRASE)
    assert len(signed.signatures) == 4
    await pool.close()


async def test_a_wallet_that_an_older_process_made_meanwhile_keeps_the_address_it_shows(
    client: SignerClient, config: PayoutsSettings, owner: asyncpg.Connection, tenant: Tenant, postgres_url: str
) -> None:
    name, pair = WalletName(tenant, new_id("wal")), Keypair.random()
    [first] = await client.mint("testnet", (name,))
    sealed = KeyRing.parse(OLD, entropy=bytes).seal(pair.secret.encode(), tenant, f"usr{name.wallet_id[3:]}", pair.public_key)
    await add_wallet(owner, tenant, name, pair.public_key, sealed)
    pool = await pool_as(postgres_url, "payouts")
    assert await move_once(pool, client, config.network) == 1
    assert await client.mint("testnet", (name,)) == (pair.public_key,) != (first,)
    await pool.close()


async def test_the_accounts_are_those_of_the_secrets_and_the_channels_are_the_same_every_time(client: SignerClient) -> None:
    told = await client.accounts()
    assert (told.sponsor, told.treasury) == (SPONSOR, address("treasury"))
    assert len({told.sponsor, told.treasury, *told.channels}) == 6
    assert await client.accounts() == told


def test_keys_of_the_environment_are_read_and_never_shown() -> None:
    keys = EnvironmentKeys.parse(f"{NEW},{OLD}", entropy=bytes)
    assert keys.current == KeyRef("test", 2)
    assert "7c" not in repr(keys)
    for wrong in ("", "test", "test:6b", f"{OLD},{OLD}", f"test.0:{'6b' * 32}", f"test.1:{'6b' * 32},{OLD}"):
        with pytest.raises(ValueError, match="key ") as refused:
            EnvironmentKeys.parse(wrong, entropy=bytes)
        assert "6b6b" not in str(refused.value)
