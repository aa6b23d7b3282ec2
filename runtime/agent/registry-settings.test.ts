import { expect, test } from "vitest";
import { readMirrors, readRegistrySettings, type RegistryFlags } from "./registry-settings.ts";

test("by default it is open on loopback, and nowhere else", () => {
  expect(readRegistrySettings({})).toEqual({ port: 5000, login: "none", quota: {}, upstreams: new Map() });
  const agent = { join: "https://a", token: "t", "registry-mirror": ["a=http://b"] };
  expect(readRegistrySettings({ ...agent, "registry-port": "0" })).toBeUndefined();
});

test("every flag", () => {
  const flags: RegistryFlags = {
    "registry-port": "5001",
    "registry-auth": "token",
    "registry-listen": "[::]:5443",
    "registry-tls-cert": "/c",
    "registry-tls-key": "/k",
    "registry-quota": "20Gi",
    "registry-repository-quota": "500M",
    "registry-untagged-lifetime": "168h",
    "registry-upstream": ["docker.io", "lab=http://127.0.0.1:5005"],
    "registry-mirror": ["docker.io=https://cache:5000/docker.io", "docker.io=http://other"],
  };
  expect(readRegistrySettings(flags)).toEqual({
    port: 5001,
    login: "token",
    listen: { host: "::", port: 5443 },
    tls: { certificateFile: "/c", keyFile: "/k" },
    quota: { bytesMax: 20 * 1024 ** 3, repositoryBytesMax: 500_000_000 },
    untaggedLifetimeMs: 168 * 3_600_000,
    upstreams: new Map<string, object>([
      ["docker.io", { host: "docker.io" }],
      ["lab", { host: "127.0.0.1:5005", url: "http://127.0.0.1:5005" }],
    ]),
  });
  expect(readMirrors(flags)).toEqual(
    new Map([
      [
        "docker.io",
        [
          { origin: "https://cache:5000", prefix: "docker.io" },
          { origin: "http://other", prefix: undefined },
        ],
      ],
    ]),
  );
});

test.each([
  [{ "registry-auth": "maybe" }, /--registry-auth is none, basic or token/],
  [{ "registry-listen": "5443" }, /--registry-listen is HOST:PORT/],
  [{ "registry-listen": "0.0.0.0:99999" }, /not a port/],
  [{ "registry-tls-cert": "/c", "registry-listen": "0.0.0.0:1" }, /come together/],
  [{ "registry-tls-cert": "/c", "registry-tls-key": "/k" }, /--registry-listen HOST:PORT, which is missing/],
  [{ "registry-quota": "plenty" }, /--registry-quota is a size/],
  [{ "registry-quota": "-1" }, /--registry-quota is a size/],
  [{ "registry-untagged-lifetime": "week" }, /is a duration/],
  [{ "registry-upstream": ["Docker.io"] }, /can begin no name/],
  [{ "registry-upstream": ["lab=ftp://x"] }, /is no URL of a registry/],
  [{ "registry-port": "0", "registry-upstream": ["docker.io"] }, /--registry-port 0 switches off/],
] as const)("%j is refused with a sentence", (flags, sentence) => {
  expect(() => readRegistrySettings(flags)).toThrow(sentence);
});

test.each([
  ["docker.io"],
  ["=http://x"],
  ["docker.io=ftp://x"],
  ["docker.io=http://u:p@x"],
  ["docker.io=http://x/A B"],
])("%s is no mirror", (value) => {
  expect(() => readMirrors({ "registry-mirror": [value] })).toThrow(/no mirror/);
});
