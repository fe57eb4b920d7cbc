"""A sandbox chain in memory, and short words for what tests do on it."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from stellar_sdk import Account as Source
from stellar_sdk import (
    Asset,
    ChangeTrust,
    CreateAccount,
    FeeBumpTransactionEnvelope,
    Keypair,
    Network,
    Operation,
    Payment,
    TransactionBuilder,
    TransactionEnvelope,
)

from deploy.sandbox.horizon.chain.entries import Account, Claimable
from deploy.sandbox.horizon.ledger.chain import Chain, Closed, begin
from deploy.sandbox.horizon.ledger.codes import result_codes
from deploy.sandbox.horizon.ledger.header import root_keypair
from deploy.sandbox.horizon.ledger.queue import Admission, Status

PASSPHRASE: Final = "Sandbox of the tests ; 2026"
NETWORK_ID: Final = Network(PASSPHRASE).network_id()
START: Final = 1_700_000_000
XLM: Final = 10_000_000


def key(name: str) -> Keypair:
    """A key that is the same in every run."""
    return Keypair.from_raw_ed25519_seed(hashlib.sha256(name.encode()).digest())


def address(name: str) -> str:
    return key(name).public_key


class Bench:
    """A chain whose clock and ledgers the test moves by hand."""

    def __init__(self, *, close_seconds: float = 5) -> None:
        self.chain: Chain
        self.chain, _ = begin(NETWORK_ID, START, close_seconds=close_seconds)
        self.now = START
        self.root = root_keypair(NETWORK_ID)

    def accounts(self, *names: str, lumens: int = 1_000) -> None:
        """Make accounts, by names."""
        operations = [CreateAccount(address(name), str(lumens)) for name in names]
        assert self.codes(self.build(self.root, *operations)) == {"transaction": "tx_success"}

    def asset(self, *holders: str, issuer: str = "issuer", amount: int = 0) -> Asset:
        """Make an issuer's dollar, have some hold it, give each an amount."""
        dollar = Asset("USD", address(issuer))
        for holder in holders:
            self.ok(self.build(holder, ChangeTrust(dollar)))
        if amount:
            self.ok(self.build(issuer, *(Payment(address(holder), dollar, str(amount)) for holder in holders)))
        return dollar

    def build(
        self,
        source: Keypair | str,
        *operations: Operation,
        fee: int = 100,
        signers: Iterable[Keypair | str] | None = None,
        sequence: int | None = None,
        **conditions: Any,
    ) -> TransactionEnvelope:
        """Build and sign. `fee` is per operation; `sequence` is the transaction's own; conditions are methods of the builder."""
        payer = key(source) if isinstance(source, str) else source
        before = self.sequence(payer.public_key) if sequence is None else sequence - 1
        builder = TransactionBuilder(Source(payer.public_key, before), PASSPHRASE, fee)
        for operation in operations:
            builder.append_operation(operation)
        if not {"add_time_bounds", "set_timeout"} & conditions.keys():
            builder.add_time_bounds(0, 0)
        for name, given in conditions.items():
            getattr(builder, name)(*given)
        envelope = builder.build()
        for signer in signers if signers is not None else [payer]:
            envelope.sign(key(signer) if isinstance(signer, str) else signer)
        return envelope

    def bump(self, inner: TransactionEnvelope, payer: str, fee: int, *, signer: str | None = None) -> FeeBumpTransactionEnvelope:
        """Put a fee bump around a transaction; `fee` is the whole of it."""
        built = TransactionBuilder.build_fee_bump_transaction(address(payer), 10**6, inner, PASSPHRASE)
        built.transaction.fee = fee
        built.sign(key(signer or payer))
        return built

    def submit(self, envelope: TransactionEnvelope | FeeBumpTransactionEnvelope) -> Admission:
        return self.chain.offer(self.chain.read(envelope.to_xdr()), self.now)

    def close(self, *, seconds: int = 5) -> Closed:
        self.now += seconds
        closed = self.chain.close(self.now)
        self.chain.accept(closed)
        return closed

    def codes(self, envelope: TransactionEnvelope | FeeBumpTransactionEnvelope) -> dict[str, object]:
        """Submit, close a ledger if it is taken, and say what came of it; all-good lists of operations are left out."""
        admission = self.submit(envelope)
        if admission.status is Status.PENDING:
            done = next(each for each in self.close().applied if each.frame.hash == envelope.hash())
            told = result_codes(done.result)
        elif admission.result is None:
            return {"status": admission.status.value}
        else:
            told = result_codes(admission.result)
        operations = told.get("operations")
        if isinstance(operations, list) and set(operations) == {"op_success"}:
            del told["operations"]
        return told

    def ok(self, envelope: TransactionEnvelope | FeeBumpTransactionEnvelope) -> None:
        told = self.codes(envelope)
        assert told["transaction"] in {"tx_success", "tx_fee_bump_inner_success"}, told

    def operation_codes(self, source: str, *operations: Operation, signers: Sequence[str] | None = None) -> Any:
        """What came of the operations of one transaction; its own code if they were not reached."""
        told = self.codes(self.build(source, *operations, signers=signers))
        return told.get("operations", told["transaction"])

    def account(self, name: str) -> Account:
        entry = self.chain.state.peek(address(name))
        assert isinstance(entry, Account)
        return entry

    def exists(self, name: str) -> bool:
        return self.chain.state.peek(address(name)) is not None

    def sequence(self, account: str) -> int:
        entry = self.chain.state.peek(account)
        return entry.sequence if isinstance(entry, Account) else 0

    def held(self, name: str, asset: Asset) -> int:
        return self.account(name).lines[f"{asset.code}:{asset.issuer}"].balance

    def claimables(self) -> list[Claimable]:
        return [each for each in self.chain.state.entries_at(self.chain.state.ledger) if isinstance(each, Claimable)]

    def lumens(self) -> int:
        """All lumens anywhere: with accounts, set aside, and paid as fees."""
        entries = list(self.chain.state.entries_at(self.chain.state.ledger))
        held = sum(each.balance for each in entries if isinstance(each, Account))
        aside = sum(each.amount for each in entries if isinstance(each, Claimable) and each.asset == "native")
        return held + aside + self.chain.header.fee_pool
