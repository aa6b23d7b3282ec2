import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { HostPlace, type HostPlaceSettings } from "./host-place.ts";
import { clearPlace } from "./host-process.ts";

// Of nobody else on this machine: below the ids of cells, above everybody's.
const uid = 0x6fff_fffe;

test("a process that an agent before had not written down yet goes with its place, and what is younger stays", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shallop-place-"));
  const place = join(directory, "h-1");
  await mkdir(place);
  await chown(place, uid, uid);
  const settings = {
    ...{ runDirectory: directory, cacheDirectory: directory, compileCache: "" },
    cells: { reserveUser: () => undefined, releaseUser: () => undefined },
    egress: { directoryOf: () => directory, removeDirectory: () => Promise.resolve() },
    // What takes a user, and what lays files out, is not asked here.
  } as unknown as HostPlaceSettings;
  const left = spawn("sleep", ["100"], { uid, gid: uid, cwd: "/", stdio: "ignore" });
  const ended = once(left, "exit");
  await once(left, "spawn");
  await clearPlace(await HostPlace.found(settings, place), systemClock);
  expect(left.exitCode ?? left.signalCode).toBeNull();
  await mkdir(place);
  await chown(place, uid, uid);
  await clearPlace(await HostPlace.found(settings, place), systemClock, Number.POSITIVE_INFINITY);
  expect(await ended).toEqual([null, "SIGKILL"]);
  await rm(directory, { recursive: true });
});
