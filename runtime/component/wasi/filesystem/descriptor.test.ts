import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { testContext } from "../context.fixture.ts";
import type { InputStream } from "../input-stream.ts";
import { IoError } from "../io-error.ts";
import type { Descriptor } from "./descriptor.ts";
import { asIs, bytes, codeOf, follow, must, reaches, Sandbox, text } from "./filesystem.fixture.ts";
import { filesystemPreopens, filesystemTypes } from "./interfaces.ts";

const write = { write: true } as const;
const both = { read: true, write: true } as const;
const now = { tag: "now" } as const;

async function readAll(stream: InputStream): Promise<string> {
  let content = "";
  for (;;) {
    const piece = await stream.blockingRead(1_000_000n);
    if (piece.tag === "err" && piece.val.tag === "closed") return content;
    content += text(must(piece));
  }
}

async function names(descriptor: Descriptor): Promise<string[]> {
  const stream = must(await descriptor.readDirectory());
  const found: string[] = [];
  for (;;) {
    const entry = must(await stream.readDirectoryEntry());
    if (entry === undefined) break;
    found.push(`${entry.name}: ${entry.type}`);
  }
  stream[Symbol.dispose]();
  return found.sort();
}

describe("preopens", () => {
  test("there is no directory that was not granted", () => {
    const { getDirectories } = filesystemPreopens(testContext()) as { getDirectories: () => unknown[] };
    expect(getDirectories()).toEqual([]);
  });

  test("gives what is granted, under the guest's name", () => {
    using sandbox = new Sandbox();
    const directories = [
      { host: sandbox.host, guest: "/data", writable: true },
      { host: sandbox.outside, guest: "/", writable: false },
    ];
    const { context } = testContext({}, { directories });
    const { getDirectories } = filesystemPreopens({ context }) as { getDirectories: () => [Descriptor, string][] };
    const given = getDirectories();
    expect(given.map(([, name]) => name)).toEqual(["/data", "/"]);
    expect(given.map(([one]) => must(one.getFlags()).mutateDirectory)).toEqual([true, false]);
    expect(given.map(([one]) => must(one.getType()))).toEqual(["directory", "directory"]);
    context.end();
  });

  test("a directory that is not there ends the guest, without telling it the node's path", () => {
    const { context } = testContext({}, { directories: [{ host: "/nowhere/at/all", guest: "/x", writable: true }] });
    const { getDirectories } = filesystemPreopens({ context }) as { getDirectories: () => unknown };
    expect(getDirectories).toThrow(
      expect.objectContaining({ code: "GUEST_FAILED", message: expect.not.stringContaining("nowhere") as string }),
    );
    expect(context.openFiles.held).toBe(0);
  });
});

describe("open-at", () => {
  test.each([
    { path: "new", open: { create: true }, flags: write, code: "ok" },
    { path: "new", open: {}, flags: both, code: "no-entry" },
    { path: "new", open: { create: true, directory: true }, flags: { read: true }, code: "invalid" },
    { path: "new/", open: { create: true }, flags: write, code: "is-directory" },
    { path: "file", open: { create: true, exclusive: true }, flags: write, code: "exist" },
    { path: "link", open: { create: true, exclusive: true }, flags: write, code: "exist" },
    { path: "dangling", open: { create: true, exclusive: true }, flags: write, code: "exist" },
    { path: "dangling", open: { create: true }, flags: write, code: "ok" },
    { path: "file", open: { create: true }, flags: both, code: "ok" },
    { path: "file", open: { directory: true }, flags: { read: true }, code: "not-directory" },
    { path: "file", open: {}, flags: {}, code: "ok" },
    { path: "file", open: { truncate: true }, flags: write, code: "ok" },
    { path: "dir", open: { directory: true }, flags: { read: true }, code: "ok" },
    { path: ".", open: {}, flags: { read: true }, code: "ok" },
    { path: "dir/", open: {}, flags: { read: true, mutateDirectory: true }, code: "ok" },
    { path: "dir", open: {}, flags: both, code: "is-directory" },
    { path: "dir", open: { truncate: true }, flags: { read: true }, code: "is-directory" },
    { path: "dir", open: { create: true }, flags: { read: true }, code: "is-directory" },
    { path: "socket", open: {}, flags: { read: true }, code: "not-permitted" },
    { path: "file", open: {}, flags: { ...write, fileIntegritySync: true }, code: "ok" },
    { path: "file", open: {}, flags: { ...write, dataIntegritySync: true, requestedWriteSync: true }, code: "ok" },
  ])("$path, $open, $flags: $code", async ({ path, open, flags, code }) => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("file"), "content");
    mkdirSync(sandbox.path("dir"));
    symlinkSync("file", sandbox.path("link"));
    symlinkSync("target", sandbox.path("dangling"));
    const server = createServer();
    // A path of a socket has 107 bytes at most.
    await new Promise<void>((resolve) => server.listen(sandbox.path("socket"), resolve));
    const opened = await sandbox.root.openAt(follow, path, open, flags);
    server.close();
    expect(codeOf(opened)).toBe(code);
    if (path === "dangling") expect(existsSync(sandbox.path("target"))).toBe(code === "ok");
    if ("truncate" in open && code === "ok") expect(readFileSync(sandbox.path("file"), "utf8")).toBe("");
    if (opened.tag === "ok")
      expect(must(opened.val.getFlags())).toMatchObject({
        ...flags,
        mutateDirectory: must(opened.val.getType()) === "directory",
      });
  });

  test("files beyond the bound are refused, and given back when they are dropped", async () => {
    using sandbox = new Sandbox({ bounds: { openFilesMax: 3 } });
    writeFileSync(sandbox.path("file"), "x");
    const first = await sandbox.open("file");
    must(await sandbox.root.readDirectory());
    expect(codeOf(await sandbox.root.openAt(follow, "file", {}, { read: true }))).toBe("insufficient-memory");
    expect(codeOf(await sandbox.root.readDirectory())).toBe("insufficient-memory");
    first[Symbol.dispose]();
    await sandbox.open("file");
    expect(codeOf(await sandbox.root.openAt(follow, "nowhere", {}, { read: true }))).toBe("insufficient-memory");
  });

  test("a failed open takes nothing from the bound", async () => {
    using sandbox = new Sandbox({ bounds: { openFilesMax: 2 } });
    for (let round = 0; round < 5; round++) {
      expect(codeOf(await sandbox.root.openAt(follow, "nowhere", {}, { read: true }))).toBe("no-entry");
    }
    expect(sandbox.context.openFiles.held).toBe(1);
  });

  test("handles count too", async () => {
    using sandbox = new Sandbox({ bounds: { handlesMax: 1 } });
    writeFileSync(sandbox.path("file"), "x");
    await expect(sandbox.root.openAt(follow, "file", {}, { read: true })).rejects.toMatchObject({
      code: "GUEST_HANDLES",
    });
    expect(sandbox.context.openFiles.held).toBe(1);
  });
});

test("a directory granted for reading cannot be changed, nor can anything opened through it", async () => {
  using sandbox = new Sandbox({ writable: false });
  mkdirSync(sandbox.path("dir"));
  writeFileSync(sandbox.path("file"), "x");
  const { root } = sandbox;
  const dir = await sandbox.open("dir");
  for (const at of [root, dir]) {
    const results = [
      await at.openAt(follow, "file", {}, write),
      await at.openAt(follow, "new", { create: true }, { read: true }),
      await at.openAt(follow, "file", { truncate: true }, { read: true }),
      await at.openAt(follow, ".", {}, { mutateDirectory: true }),
      await at.createDirectoryAt("d"),
      await at.unlinkFileAt("file"),
      await at.removeDirectoryAt("dir"),
      await at.renameAt("file", at, "file2"),
      await at.linkAt(asIs, "file", at, "file2"),
      await at.symlinkAt("file", "l"),
      await at.setTimesAt(follow, ".", now, now),
      await at.setTimes(now, now),
    ];
    expect(results.map(codeOf)).toEqual(results.map(() => "read-only"));
  }
  const file = await sandbox.open("file");
  expect(codeOf(await file.setTimes(now, now))).toBe("read-only");
  expect(codeOf(await file.setSize(0n))).toBe("bad-descriptor");
  using writable = new Sandbox();
  writeFileSync(writable.path("mine"), "");
  expect(codeOf(await writable.root.renameAt("mine", root, "theirs"))).toBe("read-only");
  expect(codeOf(await root.renameAt("file", writable.root, "mine"))).toBe("read-only");
  expect(readdirSync(sandbox.host).sort()).toEqual(["dir", "file"]);
});

describe("files", () => {
  test("read and write where they are told to", async () => {
    using sandbox = new Sandbox();
    const file = await sandbox.open("file", both, { create: true });
    expect(must(await file.write(bytes("hello world"), 0n))).toBe(11n);
    expect(must(await file.write(bytes("W"), 6n))).toBe(1n);
    expect(must(await file.read(5n, 6n)).map((part) => (part instanceof Uint8Array ? text(part) : part))).toEqual([
      "World",
      false,
    ]);
    expect(must(await file.read(100n, 11n))).toEqual([new Uint8Array(), true]);
    expect(must(await file.read(0n, 0n))).toEqual([new Uint8Array(), false]);
    expect(must(await file.read(2n ** 64n - 1n, 0n))[0].length).toBe(11);
    must(await file.setSize(5n));
    must(await file.sync());
    must(await file.syncData());
    expect(must(file.advise(0n, 5n, "sequential"))).toBeUndefined();
    expect(readFileSync(sandbox.path("file"), "utf8")).toBe("hello");
  });

  test("offsets and sizes beyond what there is are refused", async () => {
    using sandbox = new Sandbox();
    const file = await sandbox.open("file", both, { create: true });
    const last = 2n ** 64n - 1n;
    expect(codeOf(await file.read(1n, last))).toBe("invalid");
    expect(codeOf(file.readViaStream(last) as never)).toBe("invalid");
    expect(codeOf(await file.write(bytes("x"), last))).toBe("file-too-large");
    expect(codeOf(await file.setSize(last))).toBe("file-too-large");
    const stream = must(file.writeViaStream(last));
    const result = await stream.blockingWriteAndFlush(bytes("x"));
    expect(result.tag === "err" && result.val.tag).toBe("last-operation-failed");
  });

  test("what is not open for it is not done", async () => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("file"), "x");
    const [reader, writer] = [await sandbox.open("file"), await sandbox.open("file", write)];
    expect(codeOf(await reader.write(bytes("y"), 0n))).toBe("bad-descriptor");
    expect(reader.writeViaStream(0n)).toEqual({ tag: "err", val: "bad-descriptor" });
    expect(reader.appendViaStream()).toEqual({ tag: "err", val: "bad-descriptor" });
    expect(codeOf(await writer.read(1n, 0n))).toBe("bad-descriptor");
    expect(writer.readViaStream(0n)).toEqual({ tag: "err", val: "bad-descriptor" });
    for (const code of [
      codeOf(await sandbox.root.read(1n, 0n)),
      codeOf(await sandbox.root.write(bytes("x"), 0n)),
      codeOf(await sandbox.root.setSize(0n)),
      sandbox.root.readViaStream(0n).val,
      sandbox.root.advise(0n, 0n, "normal").val,
    ]) {
      expect(code).toBe("is-directory");
    }
    const inFile = [
      await reader.readDirectory(),
      await reader.openAt(follow, "x", {}, { read: true }),
      await reader.statAt(follow, "x"),
      await reader.createDirectoryAt("x"),
      await reader.readlinkAt("x"),
      await sandbox.root.renameAt("file", reader, "x"),
    ];
    expect(inFile.map(codeOf)).toEqual(inFile.map(() => "not-directory"));
  });

  test("are one object however they were opened", async () => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("a"), "x");
    writeFileSync(sandbox.path("b"), "x");
    linkSync(sandbox.path("a"), sandbox.path("c"));
    const [a, b, c] = [await sandbox.open("a"), await sandbox.open("b"), await sandbox.open("c")];
    expect([a.isSameObject(a), a.isSameObject(b), a.isSameObject(c)]).toEqual([true, false, true]);
    const hash = must(await a.metadataHash());
    expect(must(await sandbox.root.metadataHashAt(follow, "c"))).toEqual(hash);
    expect(must(await b.metadataHash()).lower).not.toBe(hash.lower);
    writeFileSync(sandbox.path("a"), "longer");
    const changed = must(await c.metadataHash());
    expect([changed.lower === hash.lower, changed.upper === hash.upper]).toEqual([true, false]);
  });
});

describe("streams", () => {
  test("reads from an offset to the end, in pieces, and then is closed", async () => {
    using sandbox = new Sandbox({ bounds: { bufferBytesMax: 7 } });
    writeFileSync(sandbox.path("file"), "0123456789".repeat(10));
    const file = await sandbox.open("file");
    const stream = must(file.readViaStream(95n));
    expect(must(stream.read(10n))).toEqual(new Uint8Array());
    await stream.subscribe().block();
    expect(text(must(stream.read(2n)))).toBe("56");
    file[Symbol.dispose]();
    expect(await readAll(stream)).toBe("789");
    expect(await readAll(must((await sandbox.open("file")).readViaStream(0n)))).toBe("0123456789".repeat(10));
    expect(await readAll(must((await sandbox.open("file")).readViaStream(1000n)))).toBe("");
  });

  test("writes at an offset, with backpressure, and in order", async () => {
    using sandbox = new Sandbox({ bounds: { bufferBytesMax: 8 } });
    writeFileSync(sandbox.path("file"), "--------------------");
    const file = await sandbox.open("file", write);
    const stream = must(file.writeViaStream(2n));
    expect(must(stream.checkWrite())).toBe(8n);
    must(stream.write(bytes("abcdef")));
    expect(must(stream.checkWrite())).toBe(2n);
    must(await stream.blockingWriteAndFlush(bytes("ghijklmnop")));
    expect(readFileSync(sandbox.path("file"), "utf8")).toBe("--abcdefghijklmnop--");
    must(await stream.blockingWriteZeroesAndFlush(2n));
    expect(readFileSync(sandbox.path("file"))).toHaveLength(20);
  });

  test("what was taken is written although the stream is dropped and the instance ends", async () => {
    using sandbox = new Sandbox();
    const file = await sandbox.open("file", write, { create: true });
    const stream = must(file.writeViaStream(0n));
    must(stream.write(bytes("kept")));
    stream[Symbol.dispose]();
    file[Symbol.dispose]();
    sandbox.context.end();
    await expect.poll(() => readFileSync(sandbox.path("file"), "utf8")).toBe("kept");
    await expect.poll(() => sandbox.context.openFiles.held).toBe(0);
  });

  test.each(reaches)("appends at the end, wherever it is by then (by %s)", async (reach) => {
    using sandbox = new Sandbox({ reach });
    writeFileSync(sandbox.path("log"), "0");
    const [one, two] = [await sandbox.open("log", write), await sandbox.open("log", write)].map((file) =>
      must(file.appendViaStream()),
    );
    for (let line = 1; line < 5; line++)
      must(await (line % 2 === 0 ? one! : two!).blockingWriteAndFlush(bytes(String(line))));
    expect(readFileSync(sandbox.path("log"), "utf8")).toBe("01234");
  });

  test("splices from one file to another", async () => {
    using sandbox = new Sandbox();
    writeFileSync(sandbox.path("from"), "content");
    const source = must((await sandbox.open("from")).readViaStream(0n));
    const target = must((await sandbox.open("to", write, { create: true })).writeViaStream(0n));
    expect(must(await target.blockingSplice(source, 100n))).toBe(7n);
    must(await target.blockingFlush());
    expect(readFileSync(sandbox.path("to"), "utf8")).toBe("content");
  });

  test("an error of a stream says what the file system said", () => {
    const { context } = testContext();
    const { filesystemErrorCode } = filesystemTypes({ context }) as {
      filesystemErrorCode: (error: IoError) => unknown;
    };
    expect(filesystemErrorCode(new IoError(context, "x", { kind: "file", code: "quota" }))).toBe("quota");
    expect(filesystemErrorCode(new IoError(context, "x", { kind: "network", code: "timeout" }))).toBeUndefined();
    expect(filesystemErrorCode(new IoError(context, "x"))).toBeUndefined();
  });
});

describe("directories", () => {
  test("lists each entry with its type, as often as it is asked", async () => {
    using sandbox = new Sandbox();
    mkdirSync(sandbox.path("dir"));
    symlinkSync("nowhere", sandbox.path("link"));
    for (let index = 0; index < 100; index++) writeFileSync(sandbox.path(`file${index}`), "");
    const expected = [
      "dir: directory",
      "link: symbolic-link",
      ...Array.from({ length: 100 }, (_, i) => `file${i}: regular-file`),
    ].sort();
    expect(await names(sandbox.root)).toEqual(expected);
    expect(await names(sandbox.root)).toEqual(expected);
    await expect.poll(() => sandbox.context.openFiles.held).toBe(1);
  });

  test.runIf(process.platform === "linux")("a name that is not UTF-8 is an error, and not the end", async () => {
    using sandbox = new Sandbox();
    writeFileSync(Buffer.concat([Buffer.from(`${sandbox.host}/`), Buffer.from([0xff, 0xfe])]), "");
    writeFileSync(sandbox.path("name"), "");
    const stream = must(await sandbox.root.readDirectory());
    const found = [await stream.readDirectoryEntry(), await stream.readDirectoryEntry()].map((entry) =>
      entry.tag === "ok" ? entry.val?.name : entry.val,
    );
    expect(new Set(found)).toEqual(new Set(["illegal-byte-sequence", "name"]));
    expect(must(await stream.readDirectoryEntry())).toBeUndefined();
  });

  test("a stream that is dropped while it is read closes", async () => {
    using sandbox = new Sandbox();
    const stream = must(await sandbox.root.readDirectory());
    const reading = stream.readDirectoryEntry();
    stream[Symbol.dispose]();
    await reading;
    await expect.poll(() => sandbox.context.openFiles.held).toBe(1);
  });

  test("are made and removed", async () => {
    using sandbox = new Sandbox();
    const { root } = sandbox;
    expect(codeOf(await root.createDirectoryAt("a"))).toBe("ok");
    expect(codeOf(await root.createDirectoryAt("a/b/"))).toBe("ok");
    expect(codeOf(await root.createDirectoryAt("a"))).toBe("exist");
    expect(codeOf(await root.createDirectoryAt("."))).toBe("exist");
    expect(codeOf(await root.createDirectoryAt("x/y"))).toBe("no-entry");
    expect(codeOf(await root.removeDirectoryAt("a"))).toBe("not-empty");
    expect(codeOf(await root.removeDirectoryAt("a/b/"))).toBe("ok");
    expect(await names(root)).toEqual(["a: directory"]);
  });
});

test("an operation that ends after its instance never settles, and closes what it opened", async () => {
  using sandbox = new Sandbox();
  writeFileSync(sandbox.path("file"), "x");
  let settled = false;
  const opening = sandbox.root.openAt(follow, "file", {}, { read: true });
  void opening.then(() => (settled = true));
  sandbox.context.end();
  await expect.poll(() => sandbox.context.openFiles.held).toBe(0);
  expect(settled).toBe(false);
});
