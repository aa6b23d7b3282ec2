import { describe, expect, test } from "vitest";
import { readSettings } from "./settings.ts";

describe("settings", () => {
  test("defaults", () => {
    expect(readSettings({ data: "/var/lib/shallop" })).toMatchObject({
      dataDir: "/var/lib/shallop",
      host: "127.0.0.1",
      port: 6443,
      advertise: [],
      domain: "localhost",
      gatewayPort: 8080,
      registry: { host: "127.0.0.1:5000", url: "http://127.0.0.1:5000" },
    });
  });
  test("how long a silent node is waited for, in Kubernetes' words", () => {
    const words = { "node-monitor-grace-period": "40s", "default-unreachable-toleration-seconds": "300" };
    const patience = { silentMsMax: 40_000, replaceAfterMs: 300_000 };
    expect(readSettings({ data: "d", ...words }).nodePatience).toEqual(patience);
    expect(readSettings({ data: "d" }).nodePatience).toEqual({ silentMsMax: 15_000, replaceAfterMs: 10_000 });
  });
  test("advertised names may be given in one or in several flags", () => {
    expect(readSettings({ data: "d", advertise: ["a,b", "c"] }).advertise).toEqual(["a", "b", "c"]);
  });
  test.each([
    [{}, "--data"],
    [{ data: "" }, "--data"],
    [{ data: "d", port: "70000" }, "--port"],
    [{ data: "d", port: "-1" }, "--port"],
    [{ data: "d", "gateway-port": "x" }, "--gateway-port"],
    [{ data: "d", domain: "Not A Domain" }, "--domain"],
    [{ data: "d", registry: "127.0.0.1:5000" }, "--registry"],
    [{ data: "d", registry: "ftp://host" }, "--registry"],
    [{ data: "d", autoscaler: ["window"] }, "autoscaler"],
    [{ data: "d", "node-monitor-grace-period": "5s" }, "--node-monitor-grace-period"],
    [{ data: "d", "node-monitor-grace-period": "soon" }, "--node-monitor-grace-period"],
    [{ data: "d", "default-unreachable-toleration-seconds": "1s" }, "--default-unreachable-toleration-seconds"],
  ])("%o is refused, and the flag is named", (values, words) => {
    expect(() => readSettings(values)).toThrow(words);
  });
});
