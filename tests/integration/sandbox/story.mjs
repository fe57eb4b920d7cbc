// A payment's story by the JavaScript library. Usage: node story.mjs MODULES URL PASSPHRASE; prints what it saw as JSON.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [modules, url, passphrase] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), "story.cjs"));
const { Asset, BASE_FEE, Horizon, Keypair, Memo, Operation, TransactionBuilder } = require("@stellar/stellar-sdk");

const server = new Horizon.Server(url, { allowHttp: true });
const [issuer, holder] = [Keypair.random(), Keypair.random()];
const dollar = new Asset("USD", issuer.publicKey());
const seen = {};

async function build(source, operation) {
  const account = await server.loadAccount(source.publicKey());
  const transaction = new TransactionBuilder(account, { fee: BASE_FEE, networkPassphrase: passphrase })
    .addOperation(operation).addMemo(Memo.text("a logo")).setTimeout(60).build();
  transaction.sign(source);
  return transaction;
}

const pay = (to, amount) => Operation.payment({ destination: to.publicKey(), asset: dollar, amount });

for (const each of [issuer, holder]) await server.friendbot(each.publicKey()).call();
await server.submitTransaction(await build(holder, Operation.changeTrust({ asset: dollar })));
const paid = await server.submitTransaction(await build(issuer, pay(holder, "12.5")));
seen.successful = paid.successful;
seen.balance = (await server.loadAccount(holder.publicKey())).balances.find((each) => each.asset_code === "USD").balance;

const payment = await new Promise((resolve, reject) => {
  const close = server.payments().forAccount(holder.publicKey()).cursor("0").stream({
    onmessage: (each) => { if (each.type === "payment") { close(); resolve(each); } },
    onerror: (error) => { if (error && error.type === "error" && error.message) { close(); reject(new Error(error.message)); } },
  });
});
seen.streamed = payment.transaction_hash === paid.hash;

const inner = await build(holder, pay(issuer, "1"));
const bump = TransactionBuilder.buildFeeBumpTransaction(issuer, "500", inner, passphrase);
bump.sign(issuer);
seen.bumped = (await server.submitTransaction(bump)).fee_account === issuer.publicKey();
const hex = (hash) => Buffer.from(hash).toString("hex");
seen.found = (await server.transactions().transaction(hex(inner.hash())).call()).fee_bump_transaction.hash === hex(bump.hash());
seen.status = (await server.submitAsyncTransaction(await build(holder, pay(issuer, "1")))).tx_status;
try {
  await server.submitTransaction(await build(issuer, pay(Keypair.random(), "1")), { skipMemoRequiredCheck: true });
} catch (error) {
  seen.codes = error.response.data.extras.result_codes;
}
try {
  await server.loadAccount(Keypair.random().publicKey());
} catch (error) {
  seen.missing = error.response.status;
}
const page = await server.transactions().forAccount(holder.publicKey()).limit(2).call();
seen.next = (await page.next()).records.length > 0;
console.log(JSON.stringify(seen));
