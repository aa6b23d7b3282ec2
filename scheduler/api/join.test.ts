import { webcrypto, X509Certificate } from "node:crypto";
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { seededRandom } from "@shallop/sdk/internal/testing";
import { systemClock } from "@shallop/sdk/internal";
import { beforeAll, expect, test } from "vitest";
import { FakeStore } from "../store/store.fake.ts";
import { refusal } from "./api.fixture.ts";
import { joinNode, type JoinSettings } from "./join.ts";
import { FixedTokens, NodeCredentials } from "./node-credentials.ts";
import { CertificateAuthority } from "./pki/authority.ts";
import { adminUser } from "./user.ts";

const p256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

async function certificateRequest(
  algorithm: { name: string; namedCurve: string; hash: string } = p256,
): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    // What it asks for is not what it gets.
    name: "CN=system:admin, O=system:masters",
    keys,
    signingAlgorithm: algorithm,
  });
  return request.toString("pem");
}

let authority: CertificateAuthority;
let request: string;
beforeAll(async () => {
  authority = (await CertificateAuthority.create(Date.now())).authority;
  request = await certificateRequest();
});

function settings(store = new FakeStore()): JoinSettings {
  return {
    authority,
    joinToken: `secret.${authority.fingerprint}`,
    builtinRegistry: "127.0.0.1:5000",
    nodes: new NodeCredentials(store),
    clock: systemClock,
    random: seededRandom(1),
  };
}

const body = (more: object = {}) => ({
  nodeName: "n1",
  certificateRequest: request,
  addresses: ["10.0.0.1", "n1.example"],
  ...more,
});

test("a node gets a certificate of its name and addresses, and a token that is its own", async () => {
  const store = new FakeStore();
  const grant = await joinNode(settings(store), `secret.${authority.fingerprint}`, body());
  const certificate = new X509Certificate(grant.certificate);
  expect(certificate.subject).toBe("O=system:nodes\nCN=system:node:n1");
  expect(certificate.subjectAltName).toBe("IP Address:10.0.0.1, DNS:n1.example");
  expect(certificate.verify(new X509Certificate(grant.authority).publicKey)).toBe(true);
  expect(grant.builtinRegistry).toBe("127.0.0.1:5000");
  // Over a restart: another object over the same store.
  expect(new NodeCredentials(store).authenticate(grant.token)?.name).toBe("system:node:n1");
  expect(new NodeCredentials(store).authenticate(`${grant.token}x`)).toBeUndefined();
  for (const { value } of store.list("").entries) expect(Buffer.from(value).toString()).not.toContain(grant.token);
});

test("the join token may come again, and with another key; the old token of the node is over then", async () => {
  const common = settings();
  const first = await joinNode(common, "secret", body());
  const second = await joinNode(common, "secret", body({ certificateRequest: await certificateRequest() }));
  expect(common.nodes.authenticate(first.token)).toBeUndefined();
  expect(common.nodes.authenticate(second.token)?.name).toBe("system:node:n1");
});

test("with its own token a node joins again for the key that it has, and for no other name", async () => {
  const common = settings();
  const { token } = await joinNode(common, "secret", body());
  expect(
    (await refusal(async () => joinNode(common, token, body({ certificateRequest: await certificateRequest() })))).code,
  ).toBe("Forbidden");
  expect((await refusal(() => joinNode(common, token, body({ nodeName: "n2" })))).code).toBe("Forbidden");
  expect((await joinNode(common, token, body())).token).not.toBe(token);
});

test.each([
  { name: "no token", token: "", more: {}, code: "Unauthorized" },
  { name: "another token", token: "secret2", more: {}, code: "Unauthorized" },
  { name: "the hash alone", token: ".", more: {}, code: "Unauthorized" },
  { name: "a name that is none", token: "secret", more: { nodeName: "N 1" }, code: "BadRequest" },
  { name: "no request", token: "secret", more: { certificateRequest: "" }, code: "BadRequest" },
  {
    name: "a request that is none",
    token: "secret",
    more: { certificateRequest: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----" },
    code: "BadRequest",
  },
  { name: "an address that is none", token: "secret", more: { addresses: ["a b"] }, code: "BadRequest" },
  { name: "too many addresses", token: "secret", more: { addresses: Array(33).fill("10.0.0.1") }, code: "BadRequest" },
])("$name is refused", async ({ token, more, code }) => {
  expect((await refusal(() => joinNode(settings(), token, body(more)))).code).toBe(code);
});

test("a key of another kind, and a request that its key did not sign, are refused", async () => {
  const other = await certificateRequest({ name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" });
  expect((await refusal(() => joinNode(settings(), "secret", body({ certificateRequest: other })))).code).toBe(
    "BadRequest",
  );
  const bytes = Buffer.from(request.replaceAll(/-----.*-----|\s/g, ""), "base64");
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----`;
  expect((await refusal(() => joinNode(settings(), "secret", body({ certificateRequest: forged })))).code).toBe(
    "BadRequest",
  );
});

test("fixed tokens are those and no others", () => {
  const tokens = new FixedTokens([["a", adminUser]]);
  expect(tokens.authenticate("a")).toBe(adminUser);
  expect(tokens.authenticate("b")).toBeUndefined();
  expect(tokens.authenticate("")).toBeUndefined();
});
