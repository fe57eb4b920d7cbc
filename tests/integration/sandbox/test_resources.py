"""What can be asked, and the forms it comes in."""

import base64
import hashlib
import itertools
from typing import Any

import pytest
from stellar_sdk import (
    Asset,
    BeginSponsoringFutureReserves,
    ChangeTrust,
    Claimant,
    ClaimClaimableBalance,
    CreateClaimableBalance,
    EndSponsoringFutureReserves,
    ManageData,
    MuxedAccount,
    PathPaymentStrictReceive,
    Payment,
    SetOptions,
    Signer,
    TransactionBuilder,
    xdr,
)

from tests.support.chain import PASSPHRASE, address, key
from tests.support.horizon import Sandbox

NATIVE = Asset.native()
USD = Asset("USD", address("issuer"))


def pay(amount: str = "1", to: str = "bob") -> Payment:
    return Payment(address(to), NATIVE, amount)


async def test_the_root_document_tells_the_network_and_the_latest_ledger(chain: Sandbox) -> None:
    root = await chain.get("/")
    assert (root["network_passphrase"], root["history_latest_ledger"]) == (PASSPHRASE, chain.node.latest)
    assert root["_links"]["transactions"] == {"href": f"{chain.url}/transactions{{?cursor,limit,order}}", "templated": True}


async def test_an_account_and_the_ledger_it_is_as_of_come_in_one_answer(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", pay()))
    answer = await chain.http.get(f"/accounts/{address('ann')}")
    account = answer.json()
    assert answer.headers["Latest-Ledger"] == str(chain.node.latest)
    assert (account["sequence"], account["sequence_ledger"]) == (str((2 << 32) + 1), chain.node.latest)
    assert account["balances"][-1] == {
        "balance": "9998.9999900",
        "buying_liabilities": "0.0000000",
        "selling_liabilities": "0.0000000",
        "asset_type": "native",
    }


async def test_trustlines_data_and_signers_are_shown(chain: Sandbox) -> None:
    operations = [
        ChangeTrust(USD, "500"),
        ManageData("config.memo_required", b"1"),
        SetOptions(signer=Signer.ed25519_public_key(address("bob"), 2), high_threshold=2, home_domain="shop.example"),
    ]
    await chain.apply(chain.build("ann", *operations))
    account = await chain.get(f"/accounts/{address('ann')}")
    line = account["balances"][0]
    assert (line["asset_type"], line["asset_code"], line["limit"], line["is_authorized"]) == (
        "credit_alphanum4", "USD", "500.0000000", True,
    )  # fmt: skip
    assert (account["subentry_count"], account["home_domain"]) == (3, "shop.example")
    assert account["data"] == {"config.memo_required": base64.b64encode(b"1").decode()}
    assert {signer["key"]: signer["weight"] for signer in account["signers"]} == {address("ann"): 1, address("bob"): 2}
    assert (await chain.get(f"/accounts/{address('ann')}/data/config.memo_required"))["value"] == "MQ=="


async def test_accounts_are_found_by_signer_asset_and_sponsor(chain: Sandbox) -> None:
    trust = [
        BeginSponsoringFutureReserves(address("bob"), address("issuer")),
        ChangeTrust(USD, source=address("bob")),
        EndSponsoringFutureReserves(address("bob")),
    ]
    await chain.apply(chain.build("issuer", *trust, signers=["issuer", "bob"]))
    await chain.apply(chain.build("ann", SetOptions(signer=Signer.ed25519_public_key(address("bob"), 1))))

    async def ids(**query: str) -> set[str]:
        return {each["id"] for each in await chain.records("/accounts", **query)}

    assert await ids(signer=address("bob")) == {address("ann"), address("bob")}
    assert await ids(asset=f"USD:{address('issuer')}") == {address("bob")}
    assert await ids(sponsor=address("issuer")) == {address("bob")}
    assert (await chain.http.get("/accounts")).status_code == 400


MEMOS = [
    (("add_text_memo", "for the logo"), {"memo_type": "text", "memo": "for the logo", "memo_bytes": "Zm9yIHRoZSBsb2dv"}),
    (("add_id_memo", 2**63), {"memo_type": "id", "memo": str(2**63)}),
    (("add_hash_memo", bytes(range(32))), {"memo_type": "hash", "memo": base64.b64encode(bytes(range(32))).decode()}),
    (("add_return_hash_memo", bytes(32)), {"memo_type": "return", "memo": base64.b64encode(bytes(32)).decode()}),
]


@pytest.mark.parametrize(("memo", "shown"), MEMOS)
async def test_memos_are_shown_as_they_were_sent(chain: Sandbox, memo: tuple[str, Any], shown: dict[str, str]) -> None:
    (transaction,) = await chain.apply(chain.build("ann", pay(), memo=memo))
    assert {name: value for name, value in transaction.items() if name.startswith("memo")} == shown


async def test_a_muxed_destination_keeps_its_number(chain: Sandbox) -> None:
    muxed = MuxedAccount(address("bob"), 77)
    await chain.apply(chain.build("ann", Payment(muxed, NATIVE, "1")))
    (payment,) = await chain.records(f"/accounts/{address('bob')}/payments", order="desc", limit=1)
    assert (payment["to"], payment["to_muxed"], payment["to_muxed_id"]) == (address("bob"), muxed.account_muxed, "77")
    (effect,) = await chain.records(f"/accounts/{address('bob')}/effects", order="desc", limit=1)
    assert (effect["type"], effect["account_muxed_id"]) == ("account_credited", "77")


async def test_a_fee_bump_is_found_by_either_hash(chain: Sandbox) -> None:
    inner = chain.build("ann", pay(), fee=100)
    bump = TransactionBuilder.build_fee_bump_transaction(key("bob"), 200, inner, PASSPHRASE)
    bump.sign(key("bob"))
    (outer,) = await chain.apply(bump)
    by_inner = await chain.get(f"/transactions/{inner.hash_hex()}")
    assert (outer["hash"], by_inner["hash"]) == (bump.hash_hex(), inner.hash_hex())
    assert outer["fee_bump_transaction"]["hash"] == by_inner["fee_bump_transaction"]["hash"] == bump.hash_hex()
    assert (outer["fee_account"], outer["fee_charged"], outer["max_fee"]) == (address("bob"), "200", "400")
    assert outer["inner_transaction"] == {
        "hash": inner.hash_hex(),
        "signatures": [base64.b64encode(inner.signatures[0].signature).decode()],
        "max_fee": "100",
    }
    assert by_inner["signatures"] == outer["inner_transaction"]["signatures"]


async def test_claimable_balances_are_listed_shown_and_remembered(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", CreateClaimableBalance(NATIVE, "5", [Claimant(address("bob"))])))
    (aside,) = await chain.records("/claimable_balances", claimant=address("bob"))
    assert (aside["asset"], aside["amount"], aside["sponsor"]) == ("native", "5.0000000", address("ann"))
    assert aside["claimants"] == [{"destination": address("bob"), "predicate": {"unconditional": True}}]
    path = f"/claimable_balances/{aside['id']}"
    assert (await chain.get(path))["id"] == aside["id"]
    await chain.apply(chain.build("bob", ClaimClaimableBalance(aside["id"])))
    assert (await chain.http.get(path)).status_code == 404
    history = await chain.records(f"{path}/operations")
    assert [each["type"] for each in history] == ["create_claimable_balance", "claim_claimable_balance"]
    assert len(await chain.records(f"{path}/transactions")) == 2


async def test_assets_add_up_what_is_held_and_set_aside(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", ChangeTrust(USD)), chain.build("bob", ChangeTrust(USD)))
    aside = CreateClaimableBalance(USD, "3", [Claimant(address("bob"))])
    await chain.apply(chain.build("issuer", Payment(address("ann"), USD, "10"), aside))
    (asset,) = await chain.records("/assets", asset_code="USD")
    assert (asset["balances"]["authorized"], asset["accounts"]["authorized"]) == ("10.0000000", 2)
    assert (asset["num_claimable_balances"], asset["claimable_balances_amount"]) == (1, "3.0000000")
    assert await chain.records("/assets", asset_issuer=address("ann")) == []


async def test_payments_are_the_operations_that_move_money(chain: Sandbox) -> None:
    path = PathPaymentStrictReceive(address("bob"), NATIVE, "2", NATIVE, "1", [])
    await chain.apply(chain.build("ann", pay(), ManageData("a", b"b"), path))
    types = [each["type"] for each in await chain.records(f"/accounts/{address('ann')}/payments")]
    assert types == ["create_account", "payment", "path_payment_strict_receive"]
    types = [each["type"] for each in await chain.records(f"/accounts/{address('ann')}/operations")]
    assert types == ["create_account", "payment", "manage_data", "path_payment_strict_receive"]


async def test_failed_transactions_are_shown_to_those_who_ask_for_them(chain: Sandbox) -> None:
    envelope = chain.build("ann", Payment(address("nobody"), NATIVE, "1"))
    (failed,) = await chain.apply(envelope)
    assert failed["successful"] is False
    path = f"/accounts/{address('ann')}"
    assert [each["successful"] for each in await chain.records(f"{path}/transactions")] == [True]
    assert [each["successful"] for each in await chain.records(f"{path}/transactions", include_failed="true")] == [True, False]
    assert [
        each["transaction_successful"] for each in await chain.records(f"/transactions/{envelope.hash_hex()}/operations")
    ] == [False]
    assert len(await chain.records("/payments", include_failed="true", limit=200)) == 4


async def test_operations_carry_their_transaction_when_asked_to(chain: Sandbox) -> None:
    envelope = chain.build("ann", pay())
    await chain.apply(envelope)
    (operation,) = await chain.records("/operations", order="desc", limit=1, join="transactions")
    assert operation["transaction"]["hash"] == operation["transaction_hash"] == envelope.hash_hex()
    assert (await chain.get(f"/operations/{operation['id']}"))["id"] == operation["id"]
    effects = await chain.records(f"/operations/{operation['id']}/effects")
    assert [effect["type"] for effect in effects] == ["account_credited", "account_debited"]
    assert len(await chain.records(f"/transactions/{envelope.hash_hex()}/effects")) == 2


async def test_ledgers_chain_by_their_headers_and_count_their_operations(chain: Sandbox) -> None:
    good, bad = chain.build("ann", pay(), pay()), chain.build("bob", Payment(address("nobody"), NATIVE, "1"))
    await chain.apply(good, bad)
    ledgers = await chain.records("/ledgers", limit=200)
    for before, ledger in itertools.pairwise(ledgers):
        assert ledger["prev_hash"] == before["hash"]
    for ledger in ledgers:
        raw = base64.b64decode(ledger["header_xdr"])
        assert hashlib.sha256(raw).hexdigest() == ledger["hash"]
        assert xdr.LedgerHeader.from_xdr_bytes(raw).ledger_seq.uint32 == ledger["sequence"]
        operations = await chain.records(f"/ledgers/{ledger['sequence']}/operations", limit=200)
        assert len(operations) == ledger["operation_count"]
    last = ledgers[-1]
    assert (last["successful_transaction_count"], last["failed_transaction_count"]) == (1, 1)
    assert (last["operation_count"], last["tx_set_operation_count"]) == (2, 3)
    assert await chain.get(f"/ledgers/{last['sequence']}") == last
    assert len(await chain.records(f"/ledgers/{last['sequence']}/transactions", include_failed="true")) == 2
    assert len(await chain.records(f"/ledgers/{last['sequence']}/payments")) == 2


async def test_fee_statistics_follow_what_was_paid(chain: Sandbox) -> None:
    await chain.http.put("/sandbox/network", json={"capacity": 1})
    for name, fee in (("ann", 5_000), ("bob", 300)):
        await chain.submit(chain.build(name, pay(to="issuer"), fee=fee))
    await chain.node.close()
    stats = await chain.get("/fee_stats")
    assert (stats["fee_charged"]["max"], stats["max_fee"]["max"], stats["ledger_capacity_usage"]) == ("5000", "5000", "1")
    assert stats["fee_charged"]["min"] == "100"


PAGES = [
    ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ({"limit": 3}, [1, 2, 3]),
    ({"limit": 3, "cursor": 3 << 32}, [4, 5, 6]),
    ({"limit": 3, "order": "desc"}, [12, 11, 10]),
    ({"limit": 2, "order": "desc", "cursor": 5 << 32}, [4, 3]),
    ({"cursor": "now"}, []),
]


@pytest.mark.parametrize(("query", "found"), PAGES)
async def test_a_page_is_the_part_that_is_asked_for(chain: Sandbox, query: dict[str, object], found: list[int]) -> None:
    while chain.node.latest < 12:
        await chain.node.close()
    assert [ledger["sequence"] for ledger in await chain.records("/ledgers", **query)] == found


async def test_links_lead_on_and_back(chain: Sandbox) -> None:
    while chain.node.latest < 6:
        await chain.node.close()
    seen, page = [], await chain.get("/ledgers", limit=2, order="asc")
    first = page
    while records := page["_embedded"]["records"]:
        seen += [each["sequence"] for each in records]
        page = (await chain.http.get(page["_links"]["next"]["href"])).json()
    assert seen == [1, 2, 3, 4, 5, 6]
    second = (await chain.http.get(first["_links"]["next"]["href"])).json()
    back = (await chain.http.get(second["_links"]["prev"]["href"])).json()
    assert [each["sequence"] for each in back["_embedded"]["records"]] == [2, 1]


async def test_effects_are_paged_through_operations(chain: Sandbox) -> None:
    await chain.apply(chain.build("ann", *(pay() for _ in range(5))))
    everything = [each["id"] for each in await chain.records("/effects", limit=200)]
    for order in ("asc", "desc"):
        seen, cursor = [], ""
        while records := await chain.records("/effects", limit=3, order=order, cursor=cursor):
            seen += [each["id"] for each in records]
            cursor = records[-1]["paging_token"]
        assert seen == (everything if order == "asc" else everything[::-1])


REFUSED = [
    ("/ledgers?limit=0", 400, "limit"),
    ("/ledgers?limit=201", 400, "limit"),
    ("/ledgers?limit=x", 400, "limit"),
    ("/ledgers?order=up", 400, "order"),
    ("/ledgers?cursor=-1", 400, "cursor"),
    ("/ledgers?cursor=x", 400, "cursor"),
    ("/effects?cursor=1-x", 400, "cursor"),
    (f"/transactions?cursor={2**63}", 400, "cursor"),
    ("/transactions?include_failed=perhaps", 400, "include_failed"),
    ("/operations?join=effects", 400, "join"),
    ("/ledgers?order=desc&cursor=1", 410, None),
    ("/ledgers/999", 404, None),
    ("/ledgers/x", 400, "ledger_id"),
    ("/ledgers/999/operations", 404, None),
    ("/operations/1", 404, None),
    (f"/transactions/{'0' * 64}", 404, None),
    ("/transactions/x", 400, "tx_id"),
    (f"/transactions/{'0' * 64}/operations", 404, None),
    ("/accounts/x", 400, "account_id"),
    (f"/accounts/{address('nobody')}", 404, None),
    (f"/accounts/{address('nobody')}/payments", 404, None),
    (f"/accounts/{address('ann')}/data/nothing", 404, None),
    ("/claimable_balances/x", 404, None),
    ("/friendbot?addr=x", 400, "addr"),
    (f"/friendbot?addr={address('ann')}", 400, "addr"),
    ("/offers", 404, None),
    ("/sandbox/nothing", 404, None),
]


@pytest.mark.parametrize(("path", "status", "field"), REFUSED)
async def test_what_cannot_be_answered_is_a_problem_that_says_why(
    chain: Sandbox, path: str, status: int, field: str | None
) -> None:
    answer = await chain.http.get(path)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"].startswith("https://stellar.org/horizon-errors/")
    assert problem.get("extras", {}).get("invalid_field") == field
