import { spawnSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostileLimits } from "./hostile-layer.fixture.ts";
import { hostileLayers } from "./hostile-layers.fixture.ts";
import { LayerBytes } from "./layer-bytes.ts";
import { opaqueXattr } from "./native-layers.ts";
import { rawTar } from "./image.fixture.ts";
import { LayerRewriter, type RewriteOptions } from "./layer-rewriter.ts";
import { LayerError, type TarEntry } from "./tar-format.ts";
import { readTar } from "./tar-reader.ts";
import { tarArguments } from "./unpack-jail.ts";

// Here nothing but the rewriter stands between a hostile archive and this machine: `tar` runs in no jail.

const isRoot = process.getuid?.() === 0;
let directory: string;
let outside: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "shallop-hostile-"));
  outside = join(directory, "outside");
  mkdirSync(outside, { mode: 0o700 });
  writeFileSync(join(outside, "canary"), "alive");
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What the jail's program makes of a layer: an archive for `tar`, or the code that it is refused with. */
async function rewritten(bytes: Buffer, options: Partial<RewriteOptions> = {}): Promise<Buffer | string> {
  const limits = options.limits ?? hostileLimits;
  const layer = new LayerBytes("sha256", limits.bytesMax);
  const rewriter = new LayerRewriter({
    limits,
    lowers: { directory: async () => undefined, file: async () => undefined },
    privileges: { setIds: false, capabilities: false, devices: false },
    opaqueXattr: opaqueXattr(isRoot),
    ...options,
  });
  const pieces: Buffer[] = [];
  try {
    const source = async function* one() {
      yield bytes;
    };
    for await (const piece of rewriter.rewrite(readTar(layer.archive(source())))) pieces.push(piece);
    return Buffer.concat(pieces);
  } catch (error) {
    if (error instanceof LayerError) return error.code;
    throw error;
  }
}

async function entriesOf(archive: Buffer): Promise<readonly (TarEntry & { readonly body: string })[]> {
  const source = async function* one() {
    yield archive;
  };
  const entries: (TarEntry & { readonly body: string })[] = [];
  for await (const { entry, body } of readTar(source())) {
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    entries.push({ ...entry, body: Buffer.concat(pieces).toString("latin1") });
  }
  return entries;
}

/** Everything in a directory that an attack could change: names, bytes, modes, owners, times, numbers of links. */
function snapshot(path: string): readonly string[] {
  const stats = lstatSync(path, { bigint: true });
  const facts = [path, stats.ino, stats.mode, stats.nlink, stats.uid, stats.gid, stats.mtimeNs, stats.ctimeNs].join(
    " ",
  );
  if (stats.isSymbolicLink()) return [`${facts} ${readlinkSync(path)}`];
  if (stats.isFile()) return [`${facts} ${readFileSync(path, "latin1")}`];
  if (!stats.isDirectory()) return [facts];
  return [facts, ...readdirSync(path).flatMap((name) => snapshot(join(path, name)))];
}

/** What is wrong with an unpacked tree: privileges, devices, links to files outside. */
function problems(path: Buffer): readonly string[] {
  const stats = lstatSync(path);
  const found: string[] = [];
  const name = path.toString("latin1");
  if (!stats.isSymbolicLink() && (stats.mode & 0o6000) !== 0) found.push(`${name} has set-id bits`);
  if (stats.isBlockDevice() || (stats.isCharacterDevice() && stats.rdev !== 0)) found.push(`${name} is a device`);
  if (stats.ino === lstatSync(join(outside, "canary")).ino) found.push(`${name} is the file outside`);
  if (!stats.isDirectory()) return found;
  const names = readdirSync(path, { encoding: "buffer" });
  return [...found, ...names.flatMap((child) => problems(Buffer.concat([path, Buffer.from("/"), child])))];
}

test("hostile layers are refused with their code, or unpacked with nothing outside", async () => {
  const layers = hostileLayers({ outside, relative: "../outside" });
  expect(layers.length).toBeGreaterThan(500);
  expect(new Set(layers.map(({ name }) => name)).size).toBe(layers.length);
  const root = join(directory, "root");
  const before = snapshot(outside);
  const names = readdirSync(directory);
  const wrong: string[] = [];
  for (const { name, bytes, expected } of layers) {
    const result = await rewritten(bytes);
    const outcome = typeof result === "string" ? result : "harmless";
    if (outcome !== expected) wrong.push(`${name}: ${outcome}, not ${expected}`);
    if (typeof result === "string") continue;
    mkdirSync(root);
    const tar = spawnSync("tar", tarArguments(root, isRoot), { input: result, cwd: "/" });
    if (tar.status !== 0) wrong.push(`${name}: tar says ${tar.stderr.toString("latin1").slice(0, 200)}`);
    wrong.push(...problems(Buffer.from(root)).map((problem) => `${name}: ${problem}`));
    rmSync(root, { recursive: true, force: true });
    if (snapshot(outside).join("\n") !== before.join("\n")) throw new Error(`${name} has changed what is outside`);
    if (readdirSync(directory).length !== names.length) throw new Error(`${name} has made something outside`);
  }
  expect(wrong).toEqual([]);
}, 180_000);

describe("what tar unpacks, the rewriter's archive unpacks to the same", () => {
  let source: string;

  beforeAll(() => {
    source = join(directory, "source");
    mkdirSync(source);
    const script = `
      cd "$1"
      mkdir -p usr/bin empty sticky deep
      echo program >usr/bin/app; chmod 4755 usr/bin/app; echo group >usr/bin/mail; chmod 2750 usr/bin/mail
      ln usr/bin/app usr/bin/second; ln -s usr/bin bin; ln -s /etc/passwd absolute; ln -s ../../up up; ln bin hardlink-of-link
      chmod 1777 sticky; chmod 0 empty; mkfifo pipe
      printf 'x%.0s' $(seq 200) | xargs -I{} touch deep/{}; mkdir -p deep/$(printf 'd%.0s' $(seq 120))/$(printf 'e%.0s' $(seq 120))
      touch "$(printf 'caf\\351')" 'line
break' "with space" 'back\\slash' -- -dash
      truncate -s 3M sparse; printf begin | dd of=sparse conv=notrunc status=none
      printf middle | dd of=sparse bs=1 seek=1500000 conv=notrunc status=none
      truncate -s 1M hole; truncate -s 200K many
      for at in $(seq 0 8 40); do printf data | dd of=many bs=4096 seek=$at conv=notrunc status=none; done
      touch -d '1969-12-31 23:59:58.25 UTC' early; touch -d '2021-02-03 04:05:06.123456789 UTC' late usr
      [ "$(id -u)" != 0 ] || { chown 1234:5678 late; chown -h 4000000:70000 up; mknod dev c 1 3; mknod block b 7 200; }
    `;
    const made = spawnSync("sh", ["-ec", script, "sh", source]);
    expect(made.stderr.toString()).toBe("");
  });

  /** All that an archive says of a tree: names, modes, owners, times, links, holes, attributes, contents. */
  const archived = async (root: string): Promise<readonly unknown[]> => {
    const how = ["--format=posix", "--sort=name", "--sparse", "--xattrs", "--xattrs-include=*", "--numeric-owner"];
    // Without the root, whose attributes are the mount's.
    const names = readdirSync(root)
      .map((name) => `./${name}`)
      .sort();
    const tar = spawnSync("tar", [...how, "-cf", "-", "-C", root, ...names], { maxBuffer: 1 << 28 });
    return entriesOf(tar.stdout);
  };

  const formats: readonly (readonly [string, readonly string[]])[] = [
    ["GNU, sparse", ["--format=gnu", "--sparse"]],
    ["old GNU", ["--format=oldgnu"]],
    ["pax, sparse 0.0", ["--format=posix", "--sparse", "--sparse-version=0.0"]],
    ["pax, sparse 0.1", ["--format=posix", "--sparse", "--sparse-version=0.1"]],
    ["pax, sparse 1.0", ["--format=posix", "--sparse", "--sparse-version=1.0"]],
  ];

  const unpack = (archive: Buffer, root: string): void => {
    mkdirSync(root);
    const tar = spawnSync("tar", tarArguments(root, isRoot), { input: archive, cwd: "/" });
    expect(tar.stderr.toString("latin1")).toBe("");
  };

  const all = { setIds: true, capabilities: true, devices: true };
  const limits = { bytesMax: 100_000_000, entriesMax: 10_000 };

  test.each(formats)("%s", async (name, flags) => {
    const [ours, theirs] = [join(directory, `${name} ours`), join(directory, `${name} theirs`)];
    const packed = spawnSync("tar", [...flags, "-cf", "-", "-C", source, "."], { maxBuffer: 1 << 28 }).stdout;
    const result = await rewritten(packed, { privileges: all, limits });
    unpack(result as Buffer, ours);
    unpack(packed, theirs);
    expect(await archived(ours)).toEqual(await archived(theirs));
    const holes = statSync(join(ours, "sparse"), { bigint: true });
    expect([holes.size, holes.blocks < holes.size / 1024n]).toEqual([3n << 20n, flags.includes("--sparse")]);
  });

  test("attributes, of both spellings; without the policy what gives privileges is left out", async () => {
    const capability = "\u0001\0\0\u0002\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const entries = [
      {
        name: "a",
        mode: 0o4755,
        pax: { "SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.a": "1=2" },
      },
      { name: "b", pax: { "LIBARCHIVE.xattr.user.b": Buffer.from("both").toString("base64") } },
      { name: "dir/", flag: "5", mode: 0o2755, pax: { "SCHILY.xattr.user.d": "x" } },
    ];
    const archive = rawTar(entries);
    const kept = (await rewritten(archive, { privileges: all })) as Buffer;
    const stripped = (await rewritten(archive)) as Buffer;
    const read = async (bytes: Buffer) =>
      (await entriesOf(bytes)).map(({ path, mode, xattrs }) => [path, mode, Object.fromEntries(xattrs)]);
    expect(await read(kept)).toEqual([
      ["a", 0o4755, { "security.capability": capability, "user.a": "1=2" }],
      ["b", 0o644, { "user.b": "both" }],
      ["dir", 0o2755, { "user.d": "x" }],
    ]);
    expect(await read(stripped)).toEqual([
      ["a", 0o755, { "user.a": "1=2" }],
      ["b", 0o644, { "user.b": "both" }],
      ["dir", 0o755, { "user.d": "x" }],
    ]);
    if (!isRoot) return;
    const [ours, theirs] = [join(directory, "attributes ours"), join(directory, "attributes theirs")];
    // The one spelling that GNU tar reads.
    const same = rawTar([entries[0]!, entries[2]!]);
    unpack((await rewritten(same, { privileges: all })) as Buffer, ours);
    unpack(same, theirs);
    expect(await archived(ours)).toEqual(await archived(theirs));
    expect((await archived(ours))[0]).toMatchObject({
      xattrs: new Map([
        ["security.capability", capability],
        ["user.a", "1=2"],
      ]),
    });
  });
});
