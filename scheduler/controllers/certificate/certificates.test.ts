import { X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ingresses, secrets } from "@shallop/sdk/api";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, onTestFinished, test } from "vitest";
import { CertificateAuthority } from "../../api/pki/authority.ts";
import { World } from "../control-plane.fake.ts";
import { AcmeIssuer, type Challenge, newAccountKey } from "./acme-issuer.ts";
import { FakeAcmeServer } from "./acme-server.fake.ts";
import { InternalIssuer } from "./internal-issuer.ts";

/** What a gateway does for challenges. */
async function answering(): Promise<{ readonly port: number; readonly challenges: Challenge[] }> {
  const challenges: Challenge[] = [];
  const server = createServer(({ url, headers }, outgoing) => {
    const found = challenges.find(
      ({ token, host }) => url === `/.well-known/acme-challenge/${token}` && headers.host === host,
    );
    outgoing.writeHead(found === undefined ? 404 : 200).end(found?.keyAuthorization);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, challenges };
}

async function acme(): Promise<{
  readonly issuer: AcmeIssuer;
  readonly fake: FakeAcmeServer;
  readonly challenges: Challenge[];
}> {
  const { port, challenges } = await answering();
  const fake = await FakeAcmeServer.start(port);
  onTestFinished(() => fake[Symbol.asyncDispose]());
  const issuer = new AcmeIssuer({
    directoryUrl: fake.directoryUrl,
    email: "ops@example.com",
    pollMsMin: 5,
    accountKey: await newAccountKey(),
    challenges: {
      put: (challenge) => Promise.resolve(void challenges.push(challenge)),
      remove: (token) =>
        Promise.resolve(
          void challenges.splice(
            challenges.findIndex((one) => one.token === token),
            1,
          ),
        ),
    },
  });
  return { issuer, fake, challenges };
}

const never = new AbortController().signal;

test("ACME: an order, its challenge over HTTP, and a certificate for the name with its key", async () => {
  const { issuer, fake, challenges } = await acme();
  const { certificate, key, renewAtMs } = await issuer.issue(["www.example.com"], never);
  const issued = new X509Certificate(certificate);
  expect(issued.subjectAltName).toBe("DNS:www.example.com");
  expect(issued.checkPrivateKey((await import("node:crypto")).createPrivateKey(key))).toBe(true);
  expect(renewAtMs).toBeGreaterThan(issued.validFromDate.getTime());
  expect(renewAtMs).toBeLessThan(issued.validToDate.getTime());
  expect([challenges, fake.refusals]).toEqual([[], []]);
});

test("ACME: a challenge that nobody answers gives no certificate; a wildcard is refused before", async () => {
  const { issuer, fake } = await acme();
  await expect(issuer.issue(["*.example.com"], never)).rejects.toMatchObject({ code: "WILDCARD" });
  fake.challengePort = 1;
  await expect(issuer.issue(["www.example.com"], never)).rejects.toThrow();
});

test("ACME: an authority that nobody is, or that nobody trusts, is said to be so at once", async () => {
  const { issuer, fake } = await acme();
  const message = expect.stringContaining(fake.directoryUrl);
  await fake[Symbol.asyncDispose]();
  await expect(issuer.issue(["www.example.com"], never)).rejects.toMatchObject({
    ...{ code: "AUTHORITY_UNREACHABLE", message },
  });
});

test("who asks for a certificate gets it into the Secret that it names; others' secrets stay; it is renewed", async () => {
  const { authority } = await CertificateAuthority.create(0);
  const world = await World.start(["n1"], [], { internal: new InternalIssuer(authority, new FakeClock()) });
  onTestFinished(() => world[Symbol.asyncDispose]());
  const { client } = world;
  const secret = (name: string, namespace = "default") => client.get(secrets, namespace, name).catch(() => undefined);
  const ingress = (name: string, host: string, annotations: Record<string, string>) =>
    client.create(ingresses, {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name, namespace: "default", annotations },
      spec: {
        tls: [{ hosts: [host], secretName: `${name}-tls` }],
        defaultBackend: { service: { name: "web", port: { number: 80 } } },
      },
    });
  const own = await client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "mine-tls", namespace: "default" },
    type: "kubernetes.io/tls",
    data: { "tls.crt": "YQ==", "tls.key": "YQ==" },
  });
  await ingress("web", "web.example.com", { "shallop.dev/issuer": "internal" });
  await ingress("plain", "plain.example.com", {});
  await ingress("mine", "mine.example.com", { "shallop.dev/issuer": "internal" });
  await world.until("it is issued", async () => (await secret("web-tls")) !== undefined);
  const issued = await secret("web-tls");
  const certificate = new X509Certificate(Buffer.from(issued?.data?.["tls.crt"] ?? "", "base64"));
  expect(certificate.subjectAltName).toBe("DNS:web.example.com");
  expect(await secret("plain-tls")).toBeUndefined();
  expect((await secret("mine-tls"))?.metadata.resourceVersion).toBe(own.metadata.resourceVersion);
  const domain = new X509Certificate(
    Buffer.from((await secret("shallop-domain-tls", "kube-system"))?.data?.["tls.crt"] ?? "", "base64"),
  );
  expect(domain.checkHost("hello.default.localhost")).toBeDefined();
  const target = { namespace: "default", name: "web-tls" };
  await client.patch(secrets, target, {
    type: "merge",
    body: { metadata: { annotations: { "shallop.dev/renew-at": "1" } } },
  });
  await world.until(
    "it is renewed",
    async () => (await secret("web-tls"))?.data?.["tls.crt"] !== issued?.data?.["tls.crt"],
  );
  expect(world.errors).toEqual([]);
});

test("a certificate that cannot be issued says why, and is tried again", async () => {
  let asked = 0;
  const issuer = {
    issue: (_names: readonly string[], _signal = never) => Promise.reject(new Error(`no luck ${asked++}`)),
  };
  const world = await World.start([], [], { internal: issuer });
  onTestFinished(() => world[Symbol.asyncDispose]());
  await world.pass(5_000);
  expect(asked).toBeGreaterThan(1);
  expect(await world.reasons()).toContain("CertificateFailed");
});

test("an authority that counts is asked in vain a few times an hour, at once for another name, and what it does not count is tried again soon", async () => {
  const { authority } = await CertificateAuthority.create(0);
  const internal = new InternalIssuer(authority, new FakeClock());
  const asked: string[] = [];
  let code = "NO_LUCK";
  const acme = {
    retryMsMin: 60_000,
    issue: (names: readonly string[], _signal = never) => {
      asked.push(names.join());
      return Promise.reject(Object.assign(new Error("no luck"), { code }));
    },
  };
  const world = await World.start([], [], { internal, acme });
  onTestFinished(() => world[Symbol.asyncDispose]());
  await world.client.create(ingresses, {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "web", namespace: "default", annotations: { "shallop.dev/issuer": "acme" } },
    spec: {
      tls: [{ hosts: ["a.example.com"], secretName: "web-tls" }],
      defaultBackend: { service: { name: "web", port: { number: 80 } } },
    },
  });
  await world.until("it is asked", () => asked.length === 1);
  await world.pass(59_000);
  expect(asked.length).toBe(1);
  await world.pass(2_000);
  expect(asked.length).toBe(2);
  code = "AUTHORITY_UNREACHABLE";
  const tls = [{ hosts: ["b.example.com"], secretName: "web-tls" }];
  await world.client.patch(
    ingresses,
    { namespace: "default", name: "web" },
    { type: "merge", body: { spec: { tls } } },
  );
  await world.until("it is asked for the other, again and again", () => asked.length > 4);
  expect(new Set(asked.slice(2))).toEqual(new Set(["b.example.com"]));
});
