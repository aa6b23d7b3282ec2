import { expect, test } from "vitest";
import { formatPlatform } from "./manifest.ts";
import { isForPlatform, parsePlatform } from "./platform.ts";

const own = { os: "linux", architecture: "amd64" };

test.each([
  ["linux/amd64", "linux/amd64"],
  ["linux", "linux/amd64"],
  ["arm64", "linux/arm64"],
  ["aarch64", "linux/arm64"],
  ["linux/x86_64", "linux/amd64"],
  ["linux/arm64/v8", "linux/arm64"],
  ["linux/arm/7", "linux/arm/v7"],
  ["armhf", "linux/arm/v7"],
  ["wasi/wasm", "wasi/wasm"],
  ["linux/", undefined],
  ["linux/a/b/c", undefined],
  ["Linux AMD", undefined],
])("--platform %s is %s", (text, is) => {
  const platform = parsePlatform(text, own);
  expect(platform && formatPlatform(platform)).toBe(is);
});

test("what is for a platform: levels differ only where both are named", () => {
  const arm = (variant?: string) => ({
    os: "linux",
    architecture: "arm",
    ...(variant === undefined ? {} : { variant }),
  });
  expect(isForPlatform(arm("v7"), arm("v7"))).toBe(true);
  expect(isForPlatform(arm("v6"), arm("v7"))).toBe(false);
  expect(isForPlatform(arm(), arm("v7"))).toBe(true);
  expect(isForPlatform({ ...own, architecture: "arm64", variant: "v8" }, { ...own, architecture: "arm64" })).toBe(true);
  expect(isForPlatform(own, { ...own, architecture: "arm64" })).toBe(false);
  expect(isForPlatform(undefined, own)).toBe(false);
});
