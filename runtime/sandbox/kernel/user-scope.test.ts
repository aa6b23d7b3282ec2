import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseClaimed, userManager } from "./user-scope.ts";

const service = "/user.slice/user-1000.slice/user@1000.service/app.slice";

test.each([
  { name: "in its scope", text: `0::${service}/run-r83.scope/keeper\n`, scope: "run-r83.scope" },
  { name: "of a session, whose scope is the machine's", text: "0::/user.slice/user-1000.slice/session-4.scope\n" },
  { name: "in a scope that it has not claimed", text: `0::${service}/run-r83.scope\n` },
  { name: "of a machine with v1 beside v2", text: "4:memory:/a.scope/keeper\n0::/\n" },
  { name: "that is gone", text: "" },
])("a keeper $name", ({ text, scope }) => {
  expect(parseClaimed(text)).toEqual(scope === undefined ? undefined : { scope, path: `${service}/${scope}` });
});

test("a user has a service manager where its bus is", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-manager-"));
  expect(await userManager(directory, 1000)).toBeUndefined();
  await writeFile(join(directory, "bus"), "");
  expect(await userManager(directory, 1000)).toEqual({ XDG_RUNTIME_DIR: directory });
  expect(await userManager(undefined, 2 ** 31)).toBeUndefined();
  await rm(directory, { recursive: true });
});
