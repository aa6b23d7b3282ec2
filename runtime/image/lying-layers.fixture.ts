import { gzipSync, zstdCompressSync } from "node:zlib";
import { type HostileLayer, hostileLimits, layer, link } from "./hostile-layer.fixture.ts";
import { type RawEntry, rawTar } from "./image.fixture.ts";

type Expected = HostileLayer["expected"];

/** Attacks by bytes that say something else than there is: sizes, numbers, maps, compression. */
export const lyingLayers = (): readonly HostileLayer[] => [
  ...lyingSizes(),
  ...sparseLies(),
  ...wideNumbers(),
  ...emptyRecords(),
  ...packings(),
  ...bombs(),
];

const directory = (name: string): RawEntry => ({ name, flag: "5", mode: 0o755 });

function lyingSizes(): readonly HostileLayer[] {
  const inner = rawTar([{ name: "../outside/new", body: "hostile" }], { end: false });
  const cut = (name: string, entry: RawEntry, expected: Expected): HostileLayer => ({
    name,
    bytes: rawTar([entry], { end: false }),
    expected,
  });
  return [
    cut("a body that is cut off", { name: "a", size: 5_000, body: "x" }, "LAYER_INVALID"),
    cut("a size beyond the bound", { name: "a", size: 8 ** 11 - 1 }, "TOO_LARGE"),
    layer("a size that hides the next entry", [{ name: "a", size: 512 }, { name: "../outside/new" }], "harmless"),
    layer("an archive as a file", [{ name: "a", body: inner }], "harmless"),
    layer("a size of nothing before an archive", [{ name: "a", size: 0, body: inner }], "LAYER_INVALID"),
    layer("pax says less than the header", [{ name: "a", body: inner, pax: { size: "0" } }], "LAYER_INVALID"),
    layer("pax says more than the header", [{ name: "a", pax: { size: "512" } }, { name: "../x" }], "harmless"),
    layer("a size in pax that is no number", [{ name: "a", pax: { size: "-1" } }], "LAYER_INVALID"),
    layer("a size in pax beyond all bounds", [{ name: "a", pax: { size: "9".repeat(20) } }], "LAYER_INVALID"),
    layer("a directory with a size", [{ ...directory("d/"), size: 512 }, { name: "a" }], "harmless"),
    cut("a pax header of a gigabyte", { name: "a", flag: "x", size: 2 ** 30 }, "TOO_LARGE"),
    cut("a long name of a gigabyte", { name: "a", flag: "L", size: 2 ** 30 }, "TOO_LARGE"),
    cut("a pax header that is cut off", { name: "a", flag: "x", size: 600, body: "x" }, "LAYER_INVALID"),
    layer(
      "a pax record that is longer than the header",
      [{ name: "a", flag: "x", body: "99 path=x\n" }],
      "LAYER_INVALID",
    ),
    layer("a pax record of no length", [{ name: "a", flag: "x", body: "0 path=x\n" }], "LAYER_INVALID"),
    layer("a pax record without a key", [{ name: "a", flag: "x", body: "6 abc\n" }], "LAYER_INVALID"),
    { name: "no archive", bytes: Buffer.from("hello ".repeat(200)), expected: "LAYER_INVALID" },
    { name: "nothing", bytes: Buffer.alloc(0), expected: "harmless" },
    { name: "half a block", bytes: Buffer.alloc(300, 1), expected: "LAYER_INVALID" },
    {
      name: "half a gzip",
      bytes: gzipSync(rawTar([{ name: "a", body: "x" }])).subarray(0, 40),
      expected: "LAYER_INVALID",
    },
    {
      name: "half a zstd",
      bytes: zstdCompressSync(rawTar([{ name: "a", body: "x" }])).subarray(0, 30),
      expected: "LAYER_INVALID",
    },
  ];
}

/** GNU's numbers of base 256, in each field that has one. */
function wideNumbers(): readonly HostileLayer[] {
  const fields: readonly (readonly [string, number, number, Expected])[] = [
    ["mode", 100, 8, "harmless"],
    ["owner", 108, 8, "LAYER_INVALID"],
    ["group", 116, 8, "LAYER_INVALID"],
    ["size", 124, 12, "TOO_LARGE"],
    ["time", 136, 12, "harmless"],
  ];
  const wide = (at: number, length: number, write: (field: Buffer) => void): Buffer =>
    withHeader(rawTar([{ name: "a" }]), (header) => {
      const field = header.subarray(at, at + length).fill(0);
      write(field);
    });
  return fields.flatMap(([name, at, length, large]) => [
    {
      name: `a ${name} of 2^40 in base 256`,
      bytes: wide(at, length, (field) => {
        field[0] = 0x80;
        field[length - 6] = 1;
      }),
      expected: large,
    },
    {
      name: `a ${name} of base 256 beyond all`,
      bytes: wide(at, length, (field) => field.fill(0x80)),
      expected: "LAYER_INVALID" as const,
    },
    {
      name: `a negative ${name}`,
      bytes: wide(at, length, (field) => field.fill(0xff)),
      expected: name === "time" ? ("harmless" as const) : ("LAYER_INVALID" as const),
    },
    {
      name: `a ${name} of words`,
      bytes: wide(at, length, (field) => field.write("many")),
      expected: "LAYER_INVALID" as const,
    },
  ]);
}

/** Changes the first header of an archive, whose checksum is right again after. */
function withHeader(archive: Buffer, change: (header: Buffer) => void): Buffer {
  const header = archive.subarray(0, 512);
  change(header);
  header.write("        ", 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return archive;
}

/** POSIX: a record without a value takes back what was said before; it is no name, number or link of its own. */
const emptyRecords = (): readonly HostileLayer[] =>
  ["path", "linkpath", "size", "uid", "gid", "mtime", "GNU.sparse.name"].map((key) =>
    layer(`an empty ${key}`, [{ name: "a", body: "x", pax: { [key]: "" } }], "harmless"),
  );

function packings(): readonly HostileLayer[] {
  const escape = rawTar([{ name: "../outside/new", body: "hostile" }]);
  const harmless = rawTar([{ name: "a", body: "x" }], { end: false });
  // RFC 8878, 3.1.1: a frame whose window is of 2 GiB, with one block of three bytes.
  const window = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x19, 0, 0, 0x61, 0x62, 0x63]);
  const notes = Buffer.from("502a4d1803000000616263", "hex");
  const all: readonly (readonly [string, Buffer, Expected])[] = [
    ["a way out in the second part of a gzip", Buffer.concat([gzipSync(harmless), gzipSync(escape)]), "LAYER_INVALID"],
    [
      "a way out in the second part of a zstd",
      Buffer.concat([zstdCompressSync(harmless), zstdCompressSync(escape)]),
      "LAYER_INVALID",
    ],
    [
      "a way out behind what is to be skipped",
      Buffer.concat([notes, zstdCompressSync(harmless), notes, zstdCompressSync(escape)]),
      "LAYER_INVALID",
    ],
    ["nothing but what is to be skipped", notes, "harmless"],
    ["a zstd with a window of 2 GiB", window, "LAYER_INVALID"],
    ["a gzip in a gzip", gzipSync(gzipSync(escape)), "LAYER_INVALID"],
    [
      "ten thousand empty parts",
      Buffer.concat([...Array.from({ length: 10_000 }, () => gzipSync("")), gzipSync(harmless)]),
      "harmless",
    ],
    ["zeros behind the gzip", Buffer.concat([gzipSync(harmless), Buffer.alloc(5_000)]), "harmless"],
    ["an archive behind the gzip", Buffer.concat([gzipSync(harmless), escape]), "LAYER_INVALID"],
  ];
  return all.map(([name, bytes, expected]) => ({ name, bytes, expected }));
}

function sparseLies(): readonly HostileLayer[] {
  const huge = "9223372036854775807";
  const pax = (
    name: string,
    records: Readonly<Record<string, string>>,
    body: string,
    expected: Expected,
  ): HostileLayer => layer(name, [{ name: "s", body, pax: records }], expected);
  const one = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s" };
  const map = (text: string): string => `${text.padEnd(512, "\0")}data`;
  return [
    pax("a sparse file of 8 EiB (0.1)", { "GNU.sparse.size": huge, "GNU.sparse.map": "0,4" }, "data", "LAYER_INVALID"),
    pax(
      "a sparse file of 1 TB (0.1)",
      { "GNU.sparse.size": String(1e12), "GNU.sparse.map": "0,4" },
      "data",
      "TOO_LARGE",
    ),
    pax("a sparse file of 1 TB (1.0)", { ...one, "GNU.sparse.realsize": String(1e12) }, map("1\n0\n4\n"), "TOO_LARGE"),
    pax(
      "a sparse file named outside",
      { ...one, "GNU.sparse.name": "../x", "GNU.sparse.realsize": "9" },
      map("1\n0\n4\n"),
      "LAYER_INVALID",
    ),
    pax(
      "a sparse form of the future",
      { ...one, "GNU.sparse.major": "2", "GNU.sparse.realsize": "9" },
      map("1\n0\n4\n"),
      "LAYER_INVALID",
    ),
    pax("a sparse file without a map", { "GNU.sparse.realsize": "9" }, "data", "LAYER_INVALID"),
    pax("parts that overlap", { "GNU.sparse.size": "9", "GNU.sparse.map": "0,3,2,1" }, "data", "LAYER_INVALID"),
    pax("parts out of order", { "GNU.sparse.size": "9", "GNU.sparse.map": "4,3,0,1" }, "data", "LAYER_INVALID"),
    pax("a part beyond the end", { "GNU.sparse.size": "9", "GNU.sparse.map": "7,4" }, "data", "LAYER_INVALID"),
    pax("an offset without a length", { "GNU.sparse.size": "9", "GNU.sparse.map": "7" }, "data", "LAYER_INVALID"),
    pax("a map that promises more", { "GNU.sparse.size": "9", "GNU.sparse.map": "0,5" }, "data", "LAYER_INVALID"),
    pax("a map that promises less", { "GNU.sparse.size": "9", "GNU.sparse.map": "0,3" }, "data", "LAYER_INVALID"),
    pax("a map of words", { "GNU.sparse.size": "9", "GNU.sparse.map": "zero,four" }, "data", "LAYER_INVALID"),
    pax("a map of a billion parts", { ...one, "GNU.sparse.realsize": "9" }, map("1000000000\n"), "TOO_LARGE"),
    pax("a map that never ends", { ...one, "GNU.sparse.realsize": "9" }, "1".repeat(2_000), "LAYER_INVALID"),
    pax("a map that is cut off", { ...one, "GNU.sparse.realsize": "9" }, "3\n0\n", "LAYER_INVALID"),
    layer("GNU's own form without a map", [{ name: "s", flag: "S", size: 2 ** 32 }], "LAYER_INVALID"),
  ];
}

function bombs(): readonly HostileLayer[] {
  const zeros = rawTar([{ name: "a", body: Buffer.alloc(4_000_000) }]);
  const many = (entry: (index: number) => RawEntry): Buffer =>
    rawTar(Array.from({ length: hostileLimits.entriesMax + 1 }, (_, index) => entry(index)));
  const forms: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
    ["plain", (bytes) => bytes],
    ["gzip", (bytes) => gzipSync(bytes)],
    ["zstd", (bytes) => zstdCompressSync(bytes)],
  ];
  const attacks: readonly (readonly [string, Buffer, Expected])[] = [
    ["zeros in a file", zeros, "TOO_LARGE"],
    ["zeros after the end", Buffer.concat([rawTar([]), Buffer.alloc(4_000_000)]), "TOO_LARGE"],
    ["many files", many((index) => ({ name: `f${index}` })), "TOO_LARGE"],
    ["many times one file", many(() => ({ name: "f" })), "TOO_LARGE"],
    ["many whiteouts", many((index) => ({ name: `.wh.f${index}` })), "TOO_LARGE"],
    ["many links", many((index) => link(`l${index}`, "x")), "TOO_LARGE"],
    [
      "many directories that nobody mentions",
      rawTar([{ name: "a", pax: { path: "d/".repeat(240) + "f" } }]),
      "TOO_LARGE",
    ],
    [
      "extended headers without an entry",
      rawTar(Array.from({ length: 100 }, () => ({ name: "x", flag: "x", body: "8 a=bcd\n" }))),
      "LAYER_INVALID",
    ],
  ];
  return attacks.flatMap(([name, bytes, expected]) =>
    forms.map(([packing, pack]) => ({ name: `${name} (${packing})`, bytes: pack(bytes), expected })),
  );
}
