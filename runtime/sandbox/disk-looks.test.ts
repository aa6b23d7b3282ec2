import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { expect, test } from "vitest";
import { DiskLooks, outgrownRoot } from "./disk-looks.ts";
import { podFiles } from "./pod-files.ts";
import type { PodRecord } from "./pod-record.ts";

const record = { uid: "u" } as PodRecord;

test("a root is measured where it may be written, against its own limit or the node's", async () => {
  const directory = await mkdtemp(`${tmpdir()}/shallop-disk-looks-`);
  const files = { ...podFiles(directory, "key"), writable: directory };
  const kernel = { diskUsage: async () => 2000 };
  expect(await outgrownRoot({ files, record }, kernel)).toBeUndefined();
  expect(await outgrownRoot({ files, record: { ...record, diskBytes: 2000 } }, kernel)).toBeUndefined();
  const limited = { files, record: { ...record, diskBytes: 1999 } };
  expect(await outgrownRoot(limited, kernel, "c")).toMatch(/^Container c exceeded its .* "1999": it has written 2000/);
  await rm(directory, { recursive: true });
  expect(await outgrownRoot(limited, kernel)).toBeUndefined();
});

test("a look that takes long is not repeated meanwhile, and rests nine times as long after", async () => {
  const clock = new FakeClock();
  const looks = new DiskLooks(clock);
  let count = 0;
  const look = async (): Promise<void> => {
    count++;
    await clock.sleep(1000);
  };
  const first = looks.run(look);
  await looks.run(look);
  await clock.advance(1000);
  await first;
  await clock.advance(8999);
  await looks.run(look);
  expect(count).toBe(1);
  await clock.advance(1);
  const second = looks.run(look);
  await clock.advance(1000);
  await second;
  expect(count).toBe(2);
});
