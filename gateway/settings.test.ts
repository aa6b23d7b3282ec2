import { describe, expect, test } from "vitest";
import { defaultLimits } from "./limits.ts";
import { readSettings, type SettingValues } from "./settings.ts";

describe("readSettings", () => {
  test("only the credentials have to be said", () => {
    expect(readSettings({ credentials: "c.json" })).toEqual({
      credentials: "c.json",
      host: "127.0.0.1",
      port: 8080,
      peerPort: 0,
      domain: "localhost",
      state: undefined,
      statusPort: undefined,
      trace: undefined,
      accessLog: undefined,
      accessLogFile: undefined,
      serverTiming: "cold",
      limits: defaultLimits,
    });
  });

  test("limits are sizes, times and counts", () => {
    const { limits } = readSettings({
      credentials: "c",
      "body-max": "64Mi",
      "drain-timeout": "1m30s",
      "takeover-timeout": "5m",
      "queue-depth-max": "5",
      "connections-per-address-max": "0",
    });
    expect(limits).toMatchObject({
      bodyBytesMax: 64 * 1024 * 1024,
      drainTimeoutMs: 90_000,
      takeoverTimeoutMs: 300_000,
      queueDepthMax: 5,
      connectionsPerAddressMax: 0,
    });
  });

  const wrong: SettingValues[] = [
    { port: "70000" },
    { port: "http" },
    { "default-certificate": "secret" },
    { "status-port": "70000" },
    { "peer-port": "all" },
    { "peer-address": "fe80::1" },
    { "peer-address": "10.0.0.1:80" },
    { "trusted-proxies": "balancer" },
    { "trusted-proxies": "10.0.0.0/8," },
    { "access-log": "xml" },
    { trace: "2" },
    { "server-timing": "maybe" },
    { "body-max": "much" },
    { "idle-timeout": "60" },
    { "drain-timeout": "-1s" },
    { "connections-max": "1e3" },
  ];
  test.each(wrong)("%j is refused, and the flag named", (values) => {
    expect(() => readSettings({ credentials: "c", ...values })).toThrow(`--${Object.keys(values)[0]}`);
  });

  test("credentials are asked for", () => {
    expect(() => readSettings({})).toThrow("--credentials");
  });
});
