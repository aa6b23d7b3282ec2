import { mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { testContext } from "../context.fixture.ts";
import { Sandbox as Granted } from "../filesystem/filesystem.fixture.ts";
import { type Descriptor, filesystemPreopens } from "./descriptor.ts";
import { codeOf, must, readAll, readText, WrittenStream } from "./reader.fixture.ts";

/** A granted directory as 0.3 shows it. */
class Sandbox extends Granted {
  readonly directory: Descriptor;

  constructor(options: { readonly writable?: boolean; readonly openFilesMax?: number } = {}) {
    super();
    const directories = [{ host: this.host, guest: "/data", writable: options.writable ?? true }];
    const bounds = options.openFilesMax === undefined ? {} : { openFilesMax: options.openFilesMax };
    const { context } = testContext(bounds, { directories });
    const { getDirectories } = filesystemPreopens({ context }) as { getDirectories: () => [[Descriptor, string]] };
    const [[directory]] = getDirectories();
    this.directory = directory;
    this.context.onEnd(() => context.end());
  }

  async openFile(path: string, flags = { read: true, write: true }, open = {}): Promise<Descriptor> {
    return must(await this.directory.openAt(follow, path, open, flags));
  }
}

const follow = { symlinkFollow: true };
const asIs = { symlinkFollow: false };

describe("files of 0.3", () => {
  test("are written, appended and read as streams", async () => {
    using sandbox = new Sandbox();
    const file = await sandbox.openFile("file", undefined, { create: true });
    expect(await file.writeViaStream(WrittenStream.of("hello ", "files"), 0n).read()).toEqual({
      tag: "ok",
      val: undefined,
    });
    expect(await file.appendViaStream(WrittenStream.of("!")).read()).toEqual({ tag: "ok", val: undefined });
    expect(await file.writeViaStream(WrittenStream.of("F"), 6n).read()).toEqual({ tag: "ok", val: undefined });
    const [reader, outcome] = file.readViaStream(6n);
    expect(await readText(reader, 2)).toBe("Files!");
    expect(await outcome).toEqual({ tag: "ok", val: undefined });
    must(await file.setSize(5n));
    must(await file.sync());
    must(await file.syncData());
    must(await file.advise(0n, 0n, "normal"));
    expect(readFileSync(sandbox.path("file"), "utf8")).toBe("hello");
  });

  test("refuse in the future beside the stream, and drop what they are given", async () => {
    using sandbox = new Sandbox();
    const file = await sandbox.openFile("file", { read: false, write: true }, { create: true });
    const [reader, outcome] = file.readViaStream(0n);
    expect([await readAll(reader), codeOf(await outcome)]).toEqual([[], "bad-descriptor"]);
    const data = new WrittenStream();
    expect(codeOf(await sandbox.directory.writeViaStream(data, 0n).read())).toBe("is-directory");
    expect(data.isDropped).toBe(true);
    expect(codeOf(await file.writeViaStream(WrittenStream.of("x"), 2n ** 64n - 1n).read())).toBe("file-too-large");
  });

  test("know what they are, also before 1970", async () => {
    using sandbox = new Sandbox();
    const file = await sandbox.openFile("file", undefined, { create: true });
    utimesSync(sandbox.path("file"), "-1.5", 5);
    const stat = must(await file.stat());
    expect(stat).toMatchObject({ type: { tag: "regular-file" }, linkCount: 1n, size: 0n });
    expect(stat.dataAccessTimestamp).toEqual({ seconds: -2n, nanoseconds: 500_000_000 });
    expect(stat.dataModificationTimestamp).toEqual({ seconds: 5n, nanoseconds: 0 });
    expect(must(file.getType())).toEqual({ tag: "regular-file" });
    expect(must(file.getFlags())).toMatchObject({ read: true, write: true, mutateDirectory: false });
    expect(file.isSameObject(await sandbox.openFile("file"))).toBe(true);
    expect(must(await sandbox.directory.metadataHashAt(follow, "file"))).toEqual(must(await file.metadataHash()));
    const at = (seconds: bigint) => ({ tag: "timestamp", val: { seconds, nanoseconds: 0 } }) as const;
    must(await file.setTimes(at(-7n), at(7n)));
    expect(must(await sandbox.directory.statAt(follow, "file")).dataAccessTimestamp.seconds).toBe(-7n);
    expect(codeOf(await file.setTimes(at(2n ** 62n), at(0n)))).toBe("overflow");
  });

  test("and directories are changed by name", async () => {
    using sandbox = new Sandbox();
    const { directory } = sandbox;
    must(await directory.createDirectoryAt("dir"));
    await sandbox.openFile("dir/file", undefined, { create: true });
    must(await directory.symlinkAt("dir/file", "link"));
    expect(must(await directory.readlinkAt("link"))).toBe("dir/file");
    expect(must(await directory.statAt(asIs, "link")).type).toEqual({ tag: "symbolic-link" });
    must(await directory.linkAt(asIs, "dir/file", directory, "hard"));
    must(await directory.renameAt("hard", directory, "soft"));
    must(await directory.setTimesAt(follow, "soft", { tag: "now" }, { tag: "no-change" }));
    must(await directory.unlinkFileAt("soft"));
    expect(codeOf(await directory.removeDirectoryAt("dir"))).toBe("not-empty");
    expect(codeOf(await directory.openAt(follow, "../outside", {}, { read: true }))).toBe("not-permitted");
  });

  test("that were granted for reading stay as they are", async () => {
    using sandbox = new Sandbox({ writable: false });
    writeFileSync(sandbox.path("file"), "x");
    expect(codeOf(await sandbox.directory.openAt(follow, "file", {}, { write: true }))).toBe("read-only");
    expect(codeOf(await sandbox.directory.createDirectoryAt("d"))).toBe("read-only");
  });
});

describe("entries of a directory", () => {
  test("are a stream", async () => {
    using sandbox = new Sandbox();
    mkdirSync(sandbox.path("dir"));
    symlinkSync("dir", sandbox.path("link"));
    for (let index = 0; index < 50; index++) writeFileSync(sandbox.path(`file${index}`), "");
    const [reader, outcome] = sandbox.directory.readDirectory();
    const entries = await readAll(reader, 7);
    expect(await outcome).toEqual({ tag: "ok", val: undefined });
    expect(entries).toHaveLength(52);
    expect(entries).toContainEqual({ type: { tag: "symbolic-link" }, name: "link" });
    expect(entries).toContainEqual({ type: { tag: "directory" }, name: "dir" });
  });

  test("of what is none are an error, whether they are read or not", async () => {
    using sandbox = new Sandbox();
    const file = await sandbox.openFile("file", undefined, { create: true });
    expect(codeOf(await file.readDirectory()[1])).toBe("not-directory");
    const [reader, outcome] = file.readDirectory();
    expect([await reader.read(1), codeOf(await outcome)]).toEqual([undefined, "not-directory"]);
  });

  test("that are dropped are closed", async () => {
    using sandbox = new Sandbox({ openFilesMax: 2 });
    for (let round = 0; round < 5; round++) {
      const [reader, outcome] = sandbox.directory.readDirectory();
      const reading = reader.read(1);
      reader.drop();
      expect([await reading, await outcome]).toEqual([undefined, { tag: "ok", val: undefined }]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});
