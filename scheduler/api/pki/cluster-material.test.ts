import { createHash, X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "@shallop/sdk/internal";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { afterAll, expect, test } from "vitest";
import { refusal } from "../api.fixture.ts";
import { ensureClusterMaterial } from "./cluster-material.ts";

const directories: string[] = [];
afterAll(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true, force: true }))));

async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-pki-"));
  directories.push(directory);
  return directory;
}

const clock = new FakeClock(Date.now());
const ensure = (dataDir: string, advertise: string[] = []) =>
  ensureClusterMaterial({ dataDir, advertise, clock, random: systemRandom });

const credentials = async (dataDir: string, name: string): Promise<Record<string, string>> =>
  JSON.parse(await readFile(join(dataDir, `credentials/${name}.json`), "utf8")) as Record<string, string>;

test("makes everything once, and keeps it over starts but for the server's certificate", async () => {
  const dataDir = await freshDirectory();
  const first = await ensure(dataDir);
  await first.writeCredentials("https://127.0.0.1:6443");
  const before = await Promise.all(["admin", "gateway", "agent"].map((name) => credentials(dataDir, name)));
  const second = await ensure(dataDir, ["node.example", "10.1.2.3"]);
  await second.writeCredentials("https://127.0.0.1:6443");
  expect(await Promise.all(["admin", "gateway", "agent"].map((name) => credentials(dataDir, name)))).toEqual(before);
  expect(second.joinToken).toBe(first.joinToken);
  expect(second.authority.certificate).toBe(first.authority.certificate);
  expect(second.server.certificate).not.toBe(first.server.certificate);
  const inside = ["DNS:kubernetes.default.svc", "DNS:kubernetes.default.svc.cluster.local", "IP Address:10.96.0.1"];
  const names = new X509Certificate(second.server.certificate).subjectAltName ?? "";
  for (const name of ["DNS:localhost", "IP Address:127.0.0.1", "DNS:node.example", "IP Address:10.1.2.3", ...inside]) {
    expect(names).toContain(name);
  }
});

test("what it writes is for its owner only, and nothing half written is left", async () => {
  const dataDir = await freshDirectory();
  await (await ensure(dataDir)).writeCredentials("https://127.0.0.1:6443");
  const files = (await readdir(dataDir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(files.map((file) => file.name).sort()).toEqual(
    ["admin.json", "agent.json", "ca.crt", "ca.key", "gateway.json", "join-token", "kubeconfig"].sort(),
  );
  for (const file of files) expect((await stat(join(file.parentPath, file.name))).mode & 0o777).toBe(0o600);
});

test("certificates say what their holder is, and fit the authority", async () => {
  const dataDir = await freshDirectory();
  const material = await ensure(dataDir);
  await material.writeCredentials("https://127.0.0.1:6443");
  const authority = new X509Certificate(material.authority.certificate);
  const gateway = new X509Certificate((await credentials(dataDir, "gateway"))["certificate"] ?? "");
  const controlPlane = new X509Certificate(material.controlPlane.certificate);
  expect(gateway.subject).toBe("O=shallop:gateway\nCN=system:gateway");
  expect(controlPlane.subject).toBe("O=shallop:control-plane\nCN=shallop:control-plane");
  for (const certificate of [gateway, controlPlane, new X509Certificate(material.server.certificate)]) {
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
  }
  expect(material.joinToken.split(".")[1]).toBe(createHash("sha256").update(authority.raw).digest("hex"));
  const agent = await credentials(dataDir, "agent");
  expect(agent).toEqual({
    server: "https://127.0.0.1:6443",
    authority: material.authority.certificate,
    token: material.joinToken,
  });
});

test("a gateway's certificate of an earlier release, by which other gateways would not know it, is made anew", async () => {
  const dataDir = await freshDirectory();
  const material = await ensure(dataDir);
  const gateway = { commonName: "system:gateway", organization: "shallop:gateway", usages: ["client"] } as const;
  const old = await material.authority.issue(gateway, Date.now());
  const file = join(dataDir, "credentials/gateway.json");
  await mkdir(join(dataDir, "credentials"), { recursive: true });
  await writeFile(file, JSON.stringify({ ...old, authority: material.authority.certificate, token: "kept" }));
  const again = await ensure(dataDir);
  await again.writeCredentials("https://127.0.0.1:6443");
  const { certificate = "", token } = await credentials(dataDir, "gateway");
  expect([token, new X509Certificate(certificate).checkHost("gateway.shallop.internal")]).toEqual([
    "kept",
    "gateway.shallop.internal",
  ]);
  await (await ensure(dataDir)).writeCredentials("https://127.0.0.1:6443");
  expect((await credentials(dataDir, "gateway"))["certificate"]).toBe(certificate);
});

test.each([
  { name: "another key", file: "pki/ca.key", from: "other" },
  { name: "no key", file: "pki/ca.key", from: undefined },
  { name: "a broken certificate", file: "pki/ca.crt", from: undefined },
])("an authority with $name is refused, not replaced", async ({ file, from }) => {
  const dataDir = await freshDirectory();
  const other = await freshDirectory();
  await ensure(dataDir);
  await ensure(other);
  await writeFile(join(dataDir, file), from === undefined ? "rubbish" : await readFile(join(other, file)));
  expect((await refusal(() => ensure(dataDir))).code).toBe("AUTHORITY_BROKEN");
});
