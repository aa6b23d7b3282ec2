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
});
