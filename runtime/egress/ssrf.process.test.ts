import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../sandbox/features.ts";
import { runCommand } from "../sandbox/kernel/command.ts";
import type { Tried } from "./ssrf.fixture.ts";

const fixture = fileURLToPath(new URL("ssrf.fixture.ts", import.meta.url));
const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
const namespace = ["unshare", ...user, "--net", "--"] as const;
const [unshare, ip] = await Promise.all([findProgram("unshare"), findProgram("ip")]);
const canMake =
  unshare !== undefined && ip !== undefined && (await runCommand(unshare, [...user, "--net", "true"])).code === 0;

/** What was reached though nothing is to be; the rest was refused. */
const meant = [
  ...["a public address", "a public name by another one", "an allowed address"],
  ...["datagrams", "flip.test", "flip.test again"],
];

describe.skipIf(!canMake)("through the egress proxy", () => {
  let tried: Tried;

  beforeAll(async () => {
    const [program, ...args] = namespace;
    const node = [process.execPath, "--no-warnings", fixture];
    const { code, stdout, stderr } = await runCommand(program, [...args, ...node], { timeoutMs: 60_000 });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    tried = JSON.parse(stdout) as Tried;
  });

  test("no listener on an address inside sees a connection, by whatever name", () => {
    const refused = Object.entries(tried).filter(([host]) => !meant.includes(host));
    expect(refused.length).toBeGreaterThan(30);
    expect(refused.filter(([, { seen }]) => seen !== 0)).toEqual([]);
    expect(refused.filter(([, { outcome }]) => !["PROHIBITED", "DNS"].includes(outcome))).toEqual([]);
  });

  test("a name that flips is public or refused, and never inside", () => {
    // Its first answer is public and connected to; its second is ours.
    expect(tried["flip.test"]).toMatchObject({ outcome: "200", seen: 1 });
    expect(tried["flip.test again"]?.outcome).toBe("PROHIBITED");
    expect(tried["flip.test again"]?.seen).toBe(0);
  });

  test("what is public or allowed is reached, and where it redirects to is judged again", () => {
    expect(tried["a public address"]).toMatchObject({ outcome: "302", seen: 1 });
    expect(tried["where it redirects to"]).toMatchObject({ outcome: "PROHIBITED", seen: 0 });
    expect(tried["a public name by another one"]).toMatchObject({ outcome: "200", seen: 1 });
    expect(tried["an allowed address"]).toMatchObject({ outcome: "200", seen: 1 });
  });

  test("datagrams go where they may, and the guest hears of the others", () => {
    expect(tried["datagrams"]).toMatchObject({ outcome: "EACCES EACCES EACCES · 10.9.9.9", seen: 1 });
  });
});
