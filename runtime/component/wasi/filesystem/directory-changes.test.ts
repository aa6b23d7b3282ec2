import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Descriptor } from "./descriptor.ts";
import { asIs, codeOf, follow, must, Sandbox } from "./filesystem.fixture.ts";

const now = { tag: "now" } as const;
const noChange = { tag: "no-change" } as const;

describe("names", () => {
  const prepared = (host: string): void => {
    writeFileSync(join(host, "file"), "content");
    mkdirSync(join(host, "dir/full"), { recursive: true });
    mkdirSync(join(host, "empty"));
    symlinkSync("file", join(host, "link"));
    symlinkSync("dir", join(host, "dirLink"));
    symlinkSync("/etc/passwd", join(host, "absolute"));
  };

  test.each([
    { what: "mkdir", run: (root: Descriptor) => root.createDirectoryAt("new/"), code: "ok" },
    { what: "mkdir twice", run: (root: Descriptor) => root.createDirectoryAt("dir"), code: "exist" },
    { what: "mkdir through a link", run: (root: Descriptor) => root.createDirectoryAt("dirLink/new"), code: "ok" },
    { what: "rmdir", run: (root: Descriptor) => root.removeDirectoryAt("empty/"), code: "ok" },
    { what: "rmdir full", run: (root: Descriptor) => root.removeDirectoryAt("dir"), code: "not-empty" },
    { what: "rmdir file", run: (root: Descriptor) => root.removeDirectoryAt("file"), code: "not-directory" },
    { what: "rmdir link", run: (root: Descriptor) => root.removeDirectoryAt("dirLink"), code: "not-directory" },
    { what: "rmdir .", run: (root: Descriptor) => root.removeDirectoryAt("."), code: "invalid" },
    { what: "unlink", run: (root: Descriptor) => root.unlinkFileAt("file"), code: "ok" },
    { what: "unlink link", run: (root: Descriptor) => root.unlinkFileAt("absolute"), code: "ok" },
    { what: "unlink /", run: (root: Descriptor) => root.unlinkFileAt("file/"), code: "not-directory" },
    { what: "unlink dir/", run: (root: Descriptor) => root.unlinkFileAt("dir/"), code: "is-directory" },
    { what: "unlink dir", run: (root: Descriptor) => root.unlinkFileAt("dir"), code: "is-directory" },
    { what: "rename", run: (root: Descriptor) => root.renameAt("file", root, "dir/file"), code: "ok" },
    { what: "rename over", run: (root: Descriptor) => root.renameAt("link", root, "file"), code: "ok" },
    { what: "rename dir/", run: (root: Descriptor) => root.renameAt("empty/", root, "moved/"), code: "ok" },
    { what: "rename file/", run: (root: Descriptor) => root.renameAt("file", root, "moved/"), code: "not-directory" },
    {
      what: "rename into itself",
      run: (root: Descriptor) => root.renameAt("dir", root, "dir/full/x"),
      code: "invalid",
    },
    { what: "rename over full", run: (root: Descriptor) => root.renameAt("empty", root, "dir"), code: "not-empty" },
    { what: "rename parent", run: (root: Descriptor) => root.renameAt("dir/full/..", root, "x"), code: "busy" },
    { what: "link", run: (root: Descriptor) => root.linkAt(asIs, "file", root, "hard"), code: "ok" },
    { what: "link dir", run: (root: Descriptor) => root.linkAt(asIs, "dir", root, "hard"), code: "not-permitted" },
    { what: "link to there", run: (root: Descriptor) => root.linkAt(asIs, "file", root, "link"), code: "exist" },
    { what: "link /", run: (root: Descriptor) => root.linkAt(asIs, "file", root, "hard/"), code: "no-entry" },
    {
      what: "link followed out",
      run: (root: Descriptor) => root.linkAt(follow, "absolute", root, "x"),
      code: "not-permitted",
    },
    { what: "symlink", run: (root: Descriptor) => root.symlinkAt("../up", "new"), code: "ok" },
    { what: "symlink absolute", run: (root: Descriptor) => root.symlinkAt("/etc", "new"), code: "not-permitted" },
    { what: "symlink empty", run: (root: Descriptor) => root.symlinkAt("", "new"), code: "no-entry" },
    { what: "symlink NUL", run: (root: Descriptor) => root.symlinkAt("a\0b", "new"), code: "invalid" },
    { what: "symlink there", run: (root: Descriptor) => root.symlinkAt("a", "file"), code: "exist" },
    { what: "symlink /", run: (root: Descriptor) => root.symlinkAt("a", "new/"), code: "no-entry" },
    { what: "readlink file", run: (root: Descriptor) => root.readlinkAt("file"), code: "invalid" },
    { what: "readlink absolute", run: (root: Descriptor) => root.readlinkAt("absolute"), code: "not-permitted" },
    { what: "readlink", run: (root: Descriptor) => root.readlinkAt("link"), code: "ok" },
  ])("$what: $code", async ({ run, code }) => {
    using sandbox = new Sandbox({ prepare: prepared });
    expect(codeOf(await run(sandbox.root))).toBe(code);
  });

  test("links lead where they are told to", async () => {
    using sandbox = new Sandbox({ prepare: prepared });
    const { root } = sandbox;
    must(await root.symlinkAt("dir/full", "new"));
    expect(readlinkSync(sandbox.path("new"))).toBe("dir/full");
    expect(must(await root.readlinkAt("new"))).toBe("dir/full");
    must(await root.linkAt(follow, "link", root, "hard"));
    expect(statSync(sandbox.path("hard")).ino).toBe(statSync(sandbox.path("file")).ino);
    expect(must(await root.statAt(asIs, "hard")).linkCount).toBe(2n);
  });

  test("renames and links between two descriptors", async () => {
    using sandbox = new Sandbox({ prepare: prepared });
    const dir = await sandbox.open("dir");
    must(await sandbox.root.linkAt(asIs, "file", dir, "hard"));
    must(await dir.renameAt("hard", sandbox.root, "back"));
    expect(readFileSync(sandbox.path("back"), "utf8")).toBe("content");
    expect(readdirSync(sandbox.path("dir"))).toEqual(["full"]);
  });
});

describe("metadata", () => {
  test("tells size, links, type and times to the nanosecond", async () => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("file"), "12345");
    utimesSync(sandbox.path("file"), 1_000_000_000.5, 2_000_000_000.25);
    const stat = must(await (await sandbox.open("file")).stat());
    expect(stat).toMatchObject({
      type: "regular-file",
      size: 5n,
      linkCount: 1n,
      dataAccessTimestamp: { seconds: 1_000_000_000n, nanoseconds: 500_000_000 },
      dataModificationTimestamp: { seconds: 2_000_000_000n, nanoseconds: 250_000_000 },
    });
    expect(must(await sandbox.root.statAt(follow, "file"))).toEqual(stat);
    expect(must(await sandbox.root.statAt(follow, ".")).type).toBe("directory");
  });

  test("sets times to the microsecond, and leaves alone what is not to change", async () => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("file"), "");
    symlinkSync("file", sandbox.path("link"));
    utimesSync(sandbox.path("file"), 1000, 2_000_000_000.25);
    const access = { tag: "timestamp", val: { seconds: 1_700_000_000n, nanoseconds: 123_456_000 } } as const;
    const file = await sandbox.open("file");
    must(await file.setTimes(access, noChange));
    const microseconds = (path: string): bigint[] => {
      const { atimeNs, mtimeNs } = statSync(path, { bigint: true });
      return [atimeNs / 1000n, mtimeNs / 1000n];
    };
    expect(microseconds(sandbox.path("file"))).toEqual([1_700_000_000_123_456n, 2_000_000_000_250_000n]);
    must(await sandbox.root.setTimesAt(follow, "link", noChange, now));
    expect(microseconds(sandbox.path("file"))).toEqual([1_700_000_000_123_456n, BigInt(Date.UTC(2026, 0, 1)) * 1000n]);
    const later = { tag: "timestamp", val: { seconds: 2n ** 63n, nanoseconds: 0 } } as const;
    expect(codeOf(await file.setTimes(later, now))).toBe("overflow");
  });

  test("sets the times of a symbolic link itself", async () => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("file"), "");
    symlinkSync("file", sandbox.path("link"));
    utimesSync(sandbox.path("file"), 1000, 1000);
    must(await sandbox.root.setTimesAt(asIs, "link", now, now));
    expect(must(await sandbox.root.statAt(follow, "link")).dataModificationTimestamp?.seconds).toBe(1000n);
  });

  test("a directory that may not be searched says so", async () => {
    using sandbox = new Sandbox();
    mkdirSync(sandbox.path("closed/inner"), { recursive: true });
    chmodSync(sandbox.path("closed"), 0);
    const code = codeOf(await sandbox.root.statAt(follow, "closed/inner"));
    chmodSync(sandbox.path("closed"), 0o700);
    // Root may search everything.
    expect(code).toBe(process.getuid?.() === 0 ? "ok" : "access");
  });
});
