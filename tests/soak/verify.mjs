// Says its version, then verifies deliveries, a line of JSON each, with the npm package and with the documented check; answers in order.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Webhook } = createRequire(process.argv[2])("standardwebhooks");

function byLibrary(key, headers, body) {
  try {
    new Webhook(key).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

function byHand(secrets, headers, body) {
  const said = Buffer.from(headers["x-offerhub-signature"] ?? "");
  return secrets.some((secret) => {
    const signed = Buffer.from("sha256=" + createHmac("sha256", secret).update(body).digest("hex"));
    return said.length === signed.length && timingSafeEqual(said, signed);
  });
}

console.log(process.version);
for await (const line of createInterface({ input: process.stdin })) {
  const { key, secrets, headers, body } = JSON.parse(line);
  const bytes = Buffer.from(body, "base64");
  console.log(JSON.stringify([byLibrary(key, headers, bytes), byHand(secrets, headers, bytes)]));
}
