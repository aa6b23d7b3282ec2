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
  ])("%o is refused, and the flag is named", (values, words) => {
    expect(() => readSettings(values)).toThrow(words);
  });
});
