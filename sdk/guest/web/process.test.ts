import { beforeEach, expect, test } from "vitest";
import { environment, resetWasi } from "../wasi/wasi.fake.ts";
import { process as guestProcess } from "./process.ts";

beforeEach(resetWasi);

test("env is the pod's as it is now, and what is set lies over it", () => {
  const { env } = guestProcess;
  expect(env["A"]).toBeUndefined();
  environment.push(["A", "1"], ["B", "2"]);
  expect([env["A"], "B" in env, "C" in env, { ...env }]).toEqual(["1", true, false, { A: "1", B: "2" }]);
  env["A"] = 5 as unknown as string;
  expect([env["A"], Object.keys(env).sort()]).toEqual(["5", ["A", "B"]]);
  delete env["A"];
  expect(env["A"]).toBe("1");
});
