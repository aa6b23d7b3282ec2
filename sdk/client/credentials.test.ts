import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readCredentials } from "./credentials.ts";
import { readKubeconfig } from "./kubeconfig.ts";

const directory = mkdtempSync(join(tmpdir(), "shallop-credentials-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;
function file(text: string): string {
  const path = join(directory, `file-${files++}`);
  writeFileSync(path, text);
  return path;
}

const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const base64 = Buffer.from(pem).toString("base64");

test("a credentials file", async () => {
  const whole = { server: "https://127.0.0.1:6443", token: "t", authority: pem, certificate: pem, key: pem };
  expect(await readCredentials(file(JSON.stringify(whole)))).toEqual(whole);
  const least = { server: "https://127.0.0.1:6443" };
  expect(await readCredentials(file(JSON.stringify({ ...least, token: null, more: 1 })))).toEqual(least);
});

test.each([
  ["no JSON", "s3cret"],
  ["a list", "[]"],
  ["no server", '{"token":"s3cret"}'],
  ["no URL", '{"server":"here","token":"s3cret"}'],
  ["plain HTTP", '{"server":"http://127.0.0.1","token":"s3cret"}'],
  ["a certificate without its key", '{"server":"https://a","certificate":"s3cret"}'],
  ["a token that breaks a header", '{"server":"https://a","token":"s3cret\\r\\nx: y"}'],
  ["a token that is a number", '{"server":"https://a","token":1}'],
])("a credentials file that says nothing usable is INVALID, and its secrets are not told: %s", async (_name, text) => {
  const refused = readCredentials(file(text));
  await expect(refused).rejects.toMatchObject({ code: "INVALID" });
  await expect(refused).rejects.not.toThrow(/s3cret/);
});

test("a file that is not there is UNREADABLE", async () => {
  await expect(readCredentials(join(directory, "nowhere"))).rejects.toMatchObject({ code: "UNREADABLE" });
  await expect(readKubeconfig(join(directory, "nowhere"))).rejects.toMatchObject({ code: "UNREADABLE" });
});

const kubeconfig = (cluster: string, user: string): string => `
apiVersion: v1
kind: Config
current-context: here
contexts:
  - name: here
    context: { cluster: c, user: u, namespace: team }
  - name: anonymous
    context: { cluster: c }
clusters:
  - name: c
    cluster: { server: "https://127.0.0.1:6443", ${cluster} }
users:
  - name: u
    user: { ${user} }
`;

test("a kubeconfig: server, authority, token, certificate and namespace of a context", async () => {
  const text = kubeconfig(
    `certificate-authority-data: ${base64}`,
    `token: t, client-certificate-data: ${base64}, client-key-data: ${base64}`,
  );
  const server = "https://127.0.0.1:6443";
  expect(await readKubeconfig(file(text))).toEqual({
    context: "here",
    namespace: "team",
    credentials: { server, token: "t", authority: pem, certificate: pem, key: pem },
  });
  expect(await readKubeconfig(file(text), "anonymous")).toEqual({
    context: "anonymous",
    namespace: "default",
    credentials: { server, authority: pem },
  });
  await expect(readKubeconfig(file(text), "elsewhere")).rejects.toMatchObject({ code: "INVALID" });
});

test("files that a kubeconfig names are beside it", async () => {
  writeFileSync(join(directory, "ca.crt"), pem);
  writeFileSync(join(directory, "token"), "t\n");
  const { credentials } = await readKubeconfig(file(kubeconfig("certificate-authority: ca.crt", "tokenFile: token")));
  expect(credentials).toMatchObject({ authority: pem, token: "t" });
});

test.each([
  ["no YAML", "a: [1"],
  ["no mapping", "hello"],
  ["no context", "contexts: []"],
  ["an unverified server", kubeconfig("insecure-skip-tls-verify: true", "token: t")],
  ["a program", kubeconfig("", "exec: { command: rm }")],
  ["an authority that is no PEM", kubeconfig("certificate-authority-data: AAAA", "token: t")],
])("a kubeconfig that cannot be used is INVALID: %s", async (_name, text) => {
  await expect(readKubeconfig(file(text))).rejects.toMatchObject({ code: "INVALID" });
});
