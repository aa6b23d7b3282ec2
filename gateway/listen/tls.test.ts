import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509";
import type { Ingress, Secret } from "@shallop/sdk/api";
import { expect, onTestFinished, test } from "vitest";
import { call, start, until } from "../client.fake.ts";
import { type FakeCluster, reflecting, saying } from "../gateway.fake.ts";
import { domainMapping, ingressOf, metaOf, toService, trafficPolicy } from "../route/routing.fixture.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A secret with a certificate of its own for some hosts. */
async function tlsSecret(name: string, hosts: readonly string[], resourceVersion = "1"): Promise<Secret> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}-${resourceVersion}`,
    signingAlgorithm: algorithm,
    keys,
    extensions: [new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: "dns", value })))],
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { ...metaOf(name), uid: `uid-${name}`, resourceVersion },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(certificate.toString("pem")), "tls.key": base64(key) },
  };
}

const withTls = (ingress: Ingress, secretName: string): Ingress => ({
  ...ingress,
  spec: { ...ingress.spec, tls: [{ hosts: [ingress.spec?.rules?.[0]?.host ?? ""], secretName }] },
});

async function secured(
  options: Parameters<typeof start>[1] = {},
): Promise<{ readonly cluster: FakeCluster; readonly port: number }> {
  const cluster = await start({}, options);
  await cluster.wireService("web", reflecting);
  const { port } = await cluster.gateway.listenTls({ host: "127.0.0.1", port: 0 });
  cluster.gateway.cluster.set("secrets", await tlsSecret("a", ["a.com"]));
  cluster.gateway.cluster.set("secrets", await tlsSecret("wild", ["*.b.com"]));
  cluster.gateway.cluster.set("ingresses", withTls(ingressOf("a", "a.com", [{ path: "/", to: "web" }]), "a"));
  cluster.gateway.cluster.set("ingresses", withTls(ingressOf("b", "*.b.com", [{ path: "/", to: "web" }]), "wild"));
  return { cluster, port };
}

/** A connection for a name: what certificate it got, and which protocol. */
function handshake(
  port: number,
  servername: string | undefined,
  protocols?: string[],
): Promise<{ readonly name: string; readonly protocol: string | false | null; readonly socket: TLSSocket }> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      rejectUnauthorized: false,
      ...(servername === undefined ? {} : { servername }),
      ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
    });
    onTestFinished(() => void socket.destroy());
    socket.once("error", reject);
    socket.once("secureConnect", () =>
      resolve({ name: String(socket.getPeerCertificate().subject.CN), protocol: socket.alpnProtocol, socket }),
    );
  });
}

const ask = (port: number, host: string): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const request = httpsRequest(
      { port, servername: host, headers: { host }, rejectUnauthorized: false, agent: false },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on("error", reject);
    request.end();
  });

test("SNI chooses the certificate, ALPN the protocol; a name without a certificate gets no connection", async () => {
  const { port } = await secured();
  expect(await handshake(port, "a.com", ["h2", "http/1.1"])).toMatchObject({ name: "a-1", protocol: "h2" });
  expect(await handshake(port, "x.b.com", ["http/1.1"])).toMatchObject({ name: "wild-1", protocol: "http/1.1" });
  expect(await handshake(port, "a.com")).toMatchObject({ name: "a-1", protocol: false });
  await expect(handshake(port, "b.com")).rejects.toThrow();
});

test("clients that name nobody, or whom no certificate names, get the default one, as it is by then", async () => {
  const { cluster, port } = await secured({ defaultCertificate: { namespace: "default", name: "fallback" } });
  const { cluster: known } = cluster.gateway;
  const own = await tlsSecret("domain", ["*.default.localhost"]);
  const domain = { ...own.metadata, namespace: "kube-system", name: "shallop-domain-tls" };
  known.set("secrets", { ...own, metadata: domain });
  const named = async (servername: string | undefined): Promise<string> => (await handshake(port, servername)).name;
  await expect.poll(() => named(undefined).catch(() => "none")).toBe("domain-1");
  expect(await named("nobody.com")).toBe("domain-1");
  known.set("secrets", await tlsSecret("fallback", ["any.com"]));
  await expect.poll(() => named(undefined)).toBe("fallback-1");
  expect(await named("nobody.com")).toBe("fallback-1");
  // What has one of its own is left alone.
  expect([await named("a.com"), await named("web.default.localhost")]).toEqual(["a-1", "domain-1"]);
  known.set("secrets", await tlsSecret("fallback", ["any.com"], "2"));
  await expect.poll(() => named(undefined)).toBe("fallback-2");
});

test("on a connection of HTTP/2 for one host another one's request is misdirected, unless its certificate names both", async () => {
  const { cluster, port } = await secured();
  cluster.gateway.cluster.set("secrets", await tlsSecret("a", ["a.com", "also.com"], "2"));
  cluster.gateway.cluster.set("ingresses", ingressOf("also", "also.com", [{ path: "/", to: "web" }]));
  const session = connectHttp2(`https://a.com:${port}`, {
    rejectUnauthorized: false,
    servername: "a.com",
    lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  onTestFinished(() => session.destroy());
  const status = (host: string): Promise<number> => {
    const stream = session.request({ ":path": "/", ":authority": host });
    return new Promise((resolve) => void stream.once("response", (headers) => resolve(Number(headers[":status"]))));
  };
  expect(await status("a.com")).toBe(200);
  expect(await status("also.com")).toBe(200);
  expect(await status("x.b.com")).toBe(421);
  expect(await status("A.com:8443")).toBe(200);
});

test("HTTP/1.1 and HTTP/2 over TLS reach the function, which is told that it is https", async () => {
  const { port } = await secured();
  const { status, body } = await ask(port, "a.com");
  expect(status).toBe(200);
  const head = JSON.parse(body) as { scheme: string; headers: string[] };
  expect([head.scheme, head.headers[head.headers.indexOf("x-forwarded-proto") + 1]]).toEqual(["https", "https"]);
  const session = connectHttp2(`https://a.com:${port}`, {
    rejectUnauthorized: false,
    servername: "a.com",
    lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":path": "/", ":authority": "a.com" });
  const answered = await new Promise<number>(
    (resolve) => void stream.once("response", (headers) => resolve(Number(headers[":status"]))),
  );
  expect(answered).toBe(200);
});

test("a connection for one name asks by another's: who is named by the request answers, or nobody", async () => {
  const { cluster, port } = await secured();
  await cluster.wireService("other", saying("other"));
  cluster.gateway.cluster.set("ingresses", withTls(ingressOf("b", "*.b.com", [{ path: "/", to: "other" }]), "wild"));
  const asked = async (host: string): Promise<string> => {
    const { socket } = await handshake(port, "a.com", ["http/1.1"]);
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    await new Promise((resolve) => socket.once("close", resolve));
    return text;
  };
  expect(await asked("x.b.com")).toMatch(/^HTTP\/1\.1 200 [^]*other$/);
  expect(await asked("a.com")).toMatch(/^HTTP\/1\.1 200 [^]*"authority":"a\.com"/);
  expect(await asked("nobody.com")).toMatch(/^HTTP\/1\.1 404 /);
});

test("a certificate that is renewed holds from the next handshake; connections that are open go on", async () => {
  const { cluster, port } = await secured();
  const before = await handshake(port, "a.com", ["http/1.1"]);
  cluster.gateway.cluster.set("secrets", await tlsSecret("a", ["a.com"], "2"));
  expect((await handshake(port, "a.com")).name).toBe("a-2");
  let text = "";
  before.socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  before.socket.write("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n");
  await until(() => text.startsWith("HTTP/1.1 200"));
  // One that is broken takes nothing away.
  const broken = await tlsSecret("a", ["a.com"], "3");
  cluster.gateway.cluster.set("secrets", { ...broken, data: { ...broken.data, "tls.key": "bm9uZQ==" } });
  expect((await handshake(port, "a.com")).name).toBe("a-2");
});

test("HTTP is sent to HTTPS where a policy says so", async () => {
  const { cluster, port } = await secured();
  cluster.gateway.cluster.set("trafficPolicies", trafficPolicy("p", { redirectToHttps: true }, toService("web")));
  const { status, headers } = await call(cluster, "web", { path: "/x?y=1" });
  expect([status, headers.location]).toEqual([308, `https://web.default.localhost:${port}/x?y=1`]);
});

test("a domain mapping has the certificate that it names; another namespace's cannot be taken", async () => {
  const { cluster, port } = await secured();
  const mapping = domainMapping("own.org", "web");
  cluster.gateway.cluster.set("domainMappings", { ...mapping, spec: { ...mapping.spec, tls: { secretName: "a" } } });
  expect((await handshake(port, "own.org")).name).toBe("a-1");
  const thief = withTls(
    ingressOf("t", "web.default.localhost", [{ path: "/", to: "web" }], { namespace: "evil" }),
    "stolen",
  );
  const secret = await tlsSecret("stolen", ["web.default.localhost"]);
  cluster.gateway.cluster.set("secrets", { ...secret, metadata: { ...secret.metadata, namespace: "evil" } });
  cluster.gateway.cluster.set("ingresses", thief);
  await expect(handshake(port, "web.default.localhost")).rejects.toThrow();
});

test("a client that does not go on with its handshake is let go", async () => {
  const cluster = await start({ headerTimeoutMs: 100 });
  const { port } = await cluster.gateway.listenTls({ host: "127.0.0.1", port: 0 });
  const { connect: connectTcp } = await import("node:net");
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => void socket.once("close", resolve));
});
