import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import type { EgressTried } from "./egress.fixture.ts";
import { findProgram } from "./features.ts";
import { runCommand } from "./kernel/command.ts";
import { sandboxMachines } from "./sandbox.fixture.ts";

const fixture = fileURLToPath(new URL("egress.fixture.ts", import.meta.url));
const { missing } = await sandboxMachines();
const nft = await findProgram("nft");

describe.skipIf(missing !== undefined || nft === undefined)("with a world beside the machine, a native pod", () => {
  let tried: EgressTried;
  beforeAll(async () => {
    const args = ["--net", "--mount", "--propagation", "private", "--", process.execPath, "--no-warnings", fixture];
    const { code, stdout, stderr } = await runCommand("unshare", args, { timeoutMs: 60_000 });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    tried = JSON.parse(stdout) as EgressTried;
  }, 70_000);

  test("reaches public addresses and those that are allowed, and the world sees connections there only", () => {
    const { "93.184.216.34": open, "10.200.9.9": allowed, ...others } = tried.outcomes;
    expect([open, allowed]).toEqual(["world", "world"]);
    expect(Object.keys(others)).toHaveLength(8);
    expect(Object.entries(others).filter(([, outcome]) => outcome !== "ECONNREFUSED")).toEqual([]);
    expect(tried.seen).toEqual(["93.184.216.34", "10.200.9.9"]);
  });

  test("finds names by the node's server, and none of the cluster outside", () => {
    expect(tried.name).toBe("93.184.216.34");
    expect(tried.clusterName).toBe("ENOTFOUND");
  });

  test("is not reached from outside", () => {
    expect(tried.fromOutside).toBe("timeout");
  });

  test("leaves the machine as it was: no rules, and packets passed on only while there are pods", () => {
    expect(tried.tablesLeft).toBe(0);
    expect(tried.forwards).toEqual([false, true, false]);
  });

  test("reaches the same and no more by the proxy of a node without nft, and nothing without the proxy", () => {
    const { environment, direct, byProxy, seen } = tried.proxied;
    expect(environment).toBe("http://BRIDGE:3128");
    expect(Object.keys(direct)).toHaveLength(4);
    expect(Object.values(direct).filter((outcome) => !["timeout", "ENETUNREACH"].includes(outcome))).toEqual([]);
    const { "93.184.216.34": open, "10.200.9.9": allowed, "example.com": named, ...refused } = byProxy;
    expect([open, allowed, named]).toEqual(["world", "world", "world"]);
    expect(refused).toEqual({
      ...Object.fromEntries(
        ["169.254.169.254", "10.200.0.1", "172.16.9.1", "192.168.9.1", "100.64.9.1", "127.0.0.1"].map((host) => [
          host,
          "HTTP/1.1 403",
        ]),
      ),
      "hello.default.svc.cluster.local": "HTTP/1.1 502",
    });
    expect(seen).toEqual(["93.184.216.34", "10.200.9.9", "93.184.216.34"]);
  });
});
