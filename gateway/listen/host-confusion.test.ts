import { expect, test } from "vitest";
import { start } from "../client.fake.ts";
import { saying } from "../gateway.fake.ts";

// Ways of naming a host: whoever is asked is the one that is named, or nobody is.

type Result = "alpha" | "beta" | 400 | 404;

const hosts: readonly { readonly host: string; readonly result: Result }[] = [
  { host: "alpha.default.localhost", result: "alpha" },
  { host: "beta.default.localhost", result: "beta" },
  { host: "ALPHA.Default.LOCALHOST", result: "alpha" },
  { host: "alpha.default.localhost.", result: "alpha" },
  { host: "alpha.default.localhost:80", result: "alpha" },
  { host: "alpha.default.localhost.:8080", result: "alpha" },
  { host: "beta.default.localhost:65535", result: "beta" },
  { host: "alpha.default", result: "alpha" },
  { host: "alpha", result: 404 },
  { host: "localhost", result: 404 },
  { host: "127.0.0.1", result: 404 },
  { host: "[::1]", result: 404 },
  { host: "alpha.beta.default.localhost", result: 404 },
  { host: "alpha.other.localhost", result: 404 },
  { host: "xalpha.default.localhost", result: 404 },
  { host: "alpha.default.localhost.evil.com", result: 404 },
  { host: "alpha.default.localhost, beta.default.localhost", result: 400 },
  { host: "alpha.default.localhost beta.default.localhost", result: 400 },
  { host: "alpha.default.localhost@beta.default.localhost", result: 400 },
  { host: "beta.default.localhost#.alpha.default.localhost", result: 400 },
  { host: "alpha.default.localhost/beta", result: 400 },
  { host: "alpha.default.localhost\\beta", result: 400 },
  { host: "alpha.default.localhost?beta", result: 400 },
  { host: "alpha%2edefault.localhost", result: 400 },
  { host: "alpha..default.localhost", result: 400 },
  { host: ".alpha.default.localhost", result: 400 },
  { host: "alpha.default.localhost:", result: 400 },
  { host: "alpha.default.localhost:x", result: 400 },
  { host: "alpha.default.localhost:80:80", result: 400 },
  { host: "alpha.default.localhost:-1", result: 400 },
  { host: "*.default.localhost", result: 400 },
  { host: "alpha_.default.localhost", result: 400 },
  { host: "http://alpha.default.localhost", result: 400 },
  { host: "\xe4lpha.default.localhost", result: 400 },
];

/** What may follow a method; of those in absolute form the host has to be the same again (RFC 9112, 3.2.2 lets it win; we refuse). */
const targets: readonly { readonly target: (host: string) => string; readonly of?: string; readonly refused?: true }[] =
  [
    { target: () => "/" },
    { target: () => "//beta.default.localhost/" },
    { target: () => "/%2f%2fbeta.default.localhost" },
    { target: () => "/../beta/..%2f" },
    { target: () => "/?host=beta.default.localhost" },
    { target: () => "/http://beta.default.localhost/" },
    { target: () => "\\\\beta.default.localhost", refused: true },
    { target: () => "beta.default.localhost/", refused: true },
  ];

const absolutes: readonly { readonly target: string; readonly host: string; readonly result: Result }[] = [
  { target: "http://alpha.default.localhost/", host: "alpha.default.localhost", result: "alpha" },
  { target: "http://ALPHA.default.localhost:80/", host: "alpha.default.localhost:80", result: "alpha" },
  { target: "http://alpha.default.localhost", host: "alpha.default.localhost", result: "alpha" },
  { target: "http://alpha.default.localhost/", host: "beta.default.localhost", result: 400 },
  { target: "http://alpha.default.localhost@beta.default.localhost/", host: "beta.default.localhost", result: 400 },
  { target: "http://beta.default.localhost#@alpha.default.localhost/", host: "alpha.default.localhost", result: 400 },
  { target: "http:/alpha.default.localhost/", host: "alpha.default.localhost", result: 400 },
  { target: "http://", host: "alpha.default.localhost", result: 400 },
  { target: "ftp://alpha.default.localhost/", host: "alpha.default.localhost", result: 400 },
  { target: "file:///etc/passwd", host: "alpha.default.localhost", result: 400 },
];

const rows = [
  ...hosts.flatMap(({ host, result }) =>
    targets.map(({ target, refused }) => ({ target: target(host), host, result: refused === true ? 400 : result })),
  ),
  ...absolutes,
];

test(`${rows.length} hosts and targets: the one that is named answers, or nobody`, async () => {
  const cluster = await start();
  const pods = {
    alpha: await cluster.wireService("alpha", saying("alpha")),
    beta: await cluster.wireService("beta", saying("beta")),
  };
  const wrong: string[] = [];
  for (const { target, host, result } of rows) {
    const before = Object.values(pods).map(({ seen }) => seen.length);
    const text = await cluster
      .connect()
      .send(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
      .ended();
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
    const seen = Object.entries(pods).flatMap(([name, pod], at) => pod.seen.slice(before[at]).map(() => name));
    const is = status === 200 ? seen.join() : String(status);
    if (is !== String(result) || seen.length !== (typeof result === "string" ? 1 : 0))
      wrong.push(`${target} of ${host}: ${is}, not ${result}; seen by ${seen.join()}`);
  }
  expect(wrong).toEqual([]);
});
