import { expect, test } from "vitest";
import { DockerFault } from "../http/docker-fault.ts";
import { checkRunnable, isAsked, ownPlatform, platformAsked } from "./platforms.ts";

const foreign = { os: "linux", architecture: "s390x" };
const component = { os: "wasip2", architecture: "wasm" };

test.each([
  ["what is here for this machine", [ownPlatform], "linux", undefined],
  ["nothing asked", [foreign], undefined, undefined],
  ["another platform than what is here", [ownPlatform], "linux/s390x", "NOT_FOUND"],
  ["another machine's", [ownPlatform, foreign], "linux/s390x", "UNSUPPORTED"],
  ["a component, by any of its names", [ownPlatform, component], "wasi/wasm", undefined],
  ["a component by its one name", [component], "wasm", undefined],
  ["a component that is none", [ownPlatform], "wasi/wasm", "NOT_FOUND"],
  ["a native program that is none", [component], "linux", "NOT_FOUND"],
  ["no platform", [ownPlatform], "linux amd64", "BAD_REQUEST"],
])("--platform: %s", (_, has, text, code) => {
  const check = (): void => checkRunnable("app:1", has, platformAsked(text));
  if (code === undefined) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ constructor: DockerFault, code }));
});

test("a pull takes components by every word for them", () => {
  expect(
    ["wasi/wasm", "wasip1/wasm", "wasm"].map((text) => isAsked(component, platformAsked(text) ?? foreign)),
  ).toEqual([true, true, true]);
});
