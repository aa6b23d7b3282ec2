import { beforeAll, expect, test } from "vitest";
import { errorCode } from "../internal/fault.ts";
import { FakeClock } from "../internal/testing/clock.fake.ts";
import { join } from "./join.ts";
import { answerJson, TestAuthority, TestServer } from "./tls-server.fake.ts";

let authority: TestAuthority;
beforeAll(async () => (authority = await TestAuthority.make()));

const request = { nodeName: "node-b", certificateRequest: "-----BEGIN CERTIFICATE REQUEST-----", addresses: [] };
const grant = { token: "t", certificate: "c", authority: "a", builtinRegistry: "127.0.0.1:5000" };

const cluster = (cacerts = authority.pem): Promise<TestServer> =>
  TestServer.start(authority, (received) => {
    if (received.path === "/cacerts") received.answer.end(cacerts);
    else answerJson(received, grant);
  });

test("the authority is fetched, held against the token, and then trusted", async () => {
  await using server = await cluster();
  const token = `secret.${authority.hash}`;
  expect(await join({ server: server.url, token }, request)).toEqual(grant);
  expect(server.received.map(({ method, path, headers }) => [method, path, headers.authorization])).toEqual([
    ["GET", "/cacerts", undefined],
    ["POST", "/shallop/v1/join", `Bearer ${token}`],
  ]);
  expect(JSON.parse(server.received[1]?.body ?? "")).toEqual(request);
});

test("an authority that is known already is not fetched, but still held against the token", async () => {
  await using server = await cluster();
  const known = { server: server.url, authority: authority.pem };
  expect(await join({ ...known, token: `secret.${authority.hash}` }, request)).toEqual(grant);
  expect(server.received.map(({ path }) => path)).toEqual(["/shallop/v1/join"]);
  const wrong = join({ ...known, token: `secret.${"0".repeat(64)}` }, request);
  await expect(wrong).rejects.toMatchObject({ code: "INVALID" });
});

test("somebody in between gets neither trust nor the secret", async () => {
  const impostor = await TestAuthority.make("an impostor");
  // Either it shows its own authority, which is not the token's…
  await using open = await TestServer.start(impostor, ({ answer }) => answer.end(impostor.pem));
  const token = `secret.${authority.hash}`;
  await expect(join({ server: open.url, token }, request)).rejects.toMatchObject({ code: "INVALID" });
  // …or the true one, which does not vouch for it; a second certificate after it is not believed either.
  await using sly = await TestServer.start(impostor, ({ answer }) => answer.end(`${authority.pem}\n${impostor.pem}`));
  await expect(join({ server: sly.url, token }, request)).rejects.toMatchObject({ code: "ServiceUnavailable" });
  for (const { headers } of [...open.received, ...sly.received]) expect(headers.authorization).toBeUndefined();
});

test.each(["", "secret", "secret.123", `secret.${"g".repeat(64)}`, `se\ncret.${"0".repeat(64)}`])(
  "what is no join token is refused before anything is sent: %j",
  async (token) => {
    await expect(join({ server: "https://127.0.0.1:1", token }, request)).rejects.toMatchObject({ code: "INVALID" });
  },
);

test.each([
  ["no certificate", "hello"],
  ["an endless answer", "x".repeat(100_000)],
])("an authority that is none is refused: %s", async (_name, cacerts) => {
  await using server = await cluster(cacerts);
  const joining = join({ server: server.url, token: `secret.${authority.hash}` }, request);
  await expect(joining.catch(errorCode)).resolves.toMatch(/^(INVALID|ServiceUnavailable)$/);
});

test("a server that does not answer is given up", async () => {
  await using server = await TestServer.start(authority, () => undefined);
  const clock = new FakeClock();
  const joining = join({ server: server.url, token: `secret.${authority.hash}` }, request, { clock }).catch(errorCode);
  while (server.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  await clock.advance(10_001);
  expect(await joining).toBe("ServiceUnavailable");
});

test("a refusal is the server's", async () => {
  await using server = await TestServer.start(authority, (received) => {
    if (received.path === "/cacerts") received.answer.end(authority.pem);
    else answerJson(received, { kind: "Status", reason: "Unauthorized", message: "no", code: 401 }, 401);
  });
  const joining = join({ server: server.url, token: `secret.${authority.hash}` }, request);
  await expect(joining).rejects.toMatchObject({ code: "Unauthorized" });
});
