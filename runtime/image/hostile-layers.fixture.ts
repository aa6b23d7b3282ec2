import { gzipSync, zstdCompressSync } from "node:zlib";
import { type RawEntry, rawTar } from "./image.fixture.ts";
import type { LayerErrorCode } from "./tar-format.ts";

/** A layer that tries something, and what is to come of it. */
export interface HostileLayer {
  readonly name: string;
  /** As a registry would send it: compressed or not. */
  readonly bytes: Buffer;
  /** `harmless`: it is unpacked, and all of it is inside. */
  readonly expected: LayerErrorCode | "harmless";
}

/** Where the attacks aim: a directory beside the one that layers are unpacked into. */
interface Aim {
  /** Absolute, with a file `canary` in it. */
  readonly outside: string;
  /** The same from the root of the layer. */
  readonly relative: string;
}

/** Bounds that the bombs below are made to pass. */
export const hostileLimits = { bytesMax: 1_000_000, entriesMax: 200 };

/** Every attack in every form, some 400. */
export function hostileLayers(aim: Aim): readonly HostileLayer[] {
  const all = [
    ...escapingNames(aim),
    ...writesThroughLinks(aim),
    ...hardLinksOut(aim),
    ...replacements(aim),
    ...privileges(),
    ...whiteouts(aim),
    ...oddNames(),
    ...lyingSizes(),
    ...sparseLies(),
    ...bombs(),
  ];
  return all;
}

type Expected = HostileLayer["expected"];

const layer = (name: string, entries: readonly RawEntry[], expected: Expected): HostileLayer => ({
  name,
  bytes: rawTar(entries),
  expected,
});

const directory = (name: string): RawEntry => ({ name, flag: "5", mode: 0o755 });
const link = (name: string, target: string): RawEntry => ({ name, flag: "2", link: target });

/** Ways to write a name in an archive: the header, and three that take its place. */
const spellings: readonly (readonly [string, (entry: RawEntry) => readonly RawEntry[]])[] = [
  ["header", (entry) => [entry]],
  ["pax", (entry) => [{ ...entry, name: "decoy", pax: { path: entry.name } }]],
  [
    "GNU",
    (entry) => [
      { name: "././@LongLink", flag: "L", body: `${entry.name}\0` },
      { ...entry, name: "decoy" },
    ],
  ],
  [
    "global pax",
    (entry) => [
      { name: "g", flag: "g", body: paxRecordText("path", entry.name) },
      { ...entry, name: "d" },
    ],
  ],
];

const kinds: readonly (readonly [string, Partial<RawEntry>])[] = [
  ["file", { body: "hostile" }],
  ["directory", { flag: "5", mode: 0o777 }],
  ["symbolic link", { flag: "2", link: "anything" }],
  ["hard link", { flag: "1", link: "inside" }],
  ["pipe", { flag: "6" }],
  ["old file", { flag: "\0", body: "hostile" }],
];

function escapingNames({ outside, relative }: Aim): readonly HostileLayer[] {
  const names = [
    [`${relative}/canary`, "LAYER_INVALID"],
    [`./${relative}/new`, "LAYER_INVALID"],
    [`/${relative}/new`, "LAYER_INVALID"],
    [`a/../${relative}/new`, "LAYER_INVALID"],
    [`a//.././/${relative}/new`, "LAYER_INVALID"],
    ["..", "LAYER_INVALID"],
    [`${outside}/canary`, "harmless"],
    [`//${outside}//new`, "harmless"],
  ] as const;
  return names.flatMap(([name, expected]) =>
    spellings.flatMap(([spelling, spell]) =>
      kinds.map(([kind, fields]) =>
        layer(`a ${kind} named ${name} (${spelling})`, [{ name: "inside" }, ...spell({ name, ...fields })], expected),
      ),
    ),
  );
}

function writesThroughLinks({ outside, relative }: Aim): readonly HostileLayer[] {
  const ways: readonly (readonly [string, readonly RawEntry[]])[] = [
    ["an absolute link", [link("way", outside)]],
    ["a relative link", [link("way", relative)]],
    ["a link to a link", [link("first", "/"), link("way", `first/${outside}`)]],
    ["links up and down", [directory("d/"), link("d/up", ".."), link("way", `d/up/${relative}`)]],
    ["a link in place of a file", [{ name: "way", body: "x" }, link("way", outside)]],
    ["a long link", [{ ...link("way", ""), pax: { linkpath: `${"./".repeat(200)}${relative}` } }]],
  ];
  const writes: readonly (readonly [string, RawEntry, Expected])[] = [
    ["overwrites a file", { name: "way/canary", body: "hostile" }, "harmless"],
    ["makes a file", { name: "way/new", body: "hostile" }, "harmless"],
    ["makes a directory", { name: "way/sub/", flag: "5", mode: 0o777 }, "harmless"],
    ["changes the directory", { name: "way/", flag: "5", mode: 0o777 }, "harmless"],
    ["makes a link", link("way/new", "x"), "harmless"],
    ["names a file twice", { name: "got", flag: "1", link: "way/canary" }, "LAYER_INVALID"],
    ["removes a file", { name: "way/.wh.canary" }, "harmless"],
    ["hides the directory", { name: "way/.wh..wh..opq" }, "harmless"],
    ["makes a pipe", { name: "way/pipe", flag: "6" }, "harmless"],
  ];
  return ways.flatMap(([way, entries]) =>
    writes.map(([what, entry, expected]) => layer(`${what} through ${way}`, [...entries, entry], expected)),
  );
}

function hardLinksOut({ outside, relative }: Aim): readonly HostileLayer[] {
  const targets = [`${outside}/canary`, `${relative}/canary`, `./x/../${relative}/canary`, "", "/", ".", "missing"];
  const linkSpellings: readonly (readonly [string, (target: string) => readonly RawEntry[]])[] = [
    ["header", (target) => [{ name: "got", flag: "1", link: target }]],
    ["pax", (target) => [{ name: "got", flag: "1", link: "decoy", pax: { linkpath: target } }]],
    [
      "GNU",
      (target) => [
        { name: "././@LongLink", flag: "K", body: `${target}\0` },
        { name: "got", flag: "1", link: "decoy" },
      ],
    ],
  ];
  return targets.flatMap((target) =>
    linkSpellings.flatMap(([spelling, spell]) => [
      layer(`a hard link to ${JSON.stringify(target)} (${spelling})`, spell(target), "LAYER_INVALID"),
      layer(
        `the same, then written to (${spelling}, ${JSON.stringify(target)})`,
        [...spell(target), { name: "got", body: "hostile" }],
        "LAYER_INVALID",
      ),
    ]),
  );
}

/** One name for several things, in every order. */
function replacements({ outside }: Aim): readonly HostileLayer[] {
  const things: readonly (readonly [string, RawEntry, "directory" | "other"])[] = [
    ["file", { name: "x", body: "1" }, "other"],
    ["link", link("x", `${outside}/canary`), "other"],
    ["directory", { name: "x", flag: "5", mode: 0o755 }, "directory"],
    ["pipe", { name: "x", flag: "6" }, "other"],
  ];
  const pairs = things.flatMap(([first, one, oneKind]) =>
    things.map(([second, two, twoKind]) =>
      layer(
        `a ${first}, then a ${second} of its name`,
        [one, two],
        oneKind === "directory" && twoKind === "other" ? "LAYER_INVALID" : "harmless",
      ),
    ),
  );
  const onTop = things.map(([first, one, kind]) =>
    layer(`a ${first}, then a file below it`, [one, { name: "x/new", body: "hostile" }], intoThing(first, kind)),
  );
  return [
    ...pairs,
    ...onTop,
    layer(
      "names that differ in case only",
      [
        { name: "Same", body: "1" },
        { name: "same", body: "2" },
      ],
      "harmless",
    ),
    layer(
      "a link and a directory that differ in case only",
      [link("Way", outside), directory("way/"), { name: "way/new", body: "hostile" }],
      "harmless",
    ),
    layer("one character in two forms", [{ name: "\xc3\xa9" }, { name: "e\xcc\x81" }], "harmless"),
    layer(
      "a second name of a link, then written to",
      [link("way", `${outside}/canary`), { name: "got", flag: "1", link: "way" }, { name: "got", body: "hostile" }],
      "harmless",
    ),
    layer(
      "a file below a second name of a link",
      [link("way", outside), { name: "got", flag: "1", link: "way" }, { name: "got/new", body: "hostile" }],
      "harmless",
    ),
    layer("a hard link to itself", [{ name: "a", flag: "1", link: "a" }], "harmless"),
    layer("a hard link to a directory", [directory("d/"), { name: "a", flag: "1", link: "d" }], "LAYER_INVALID"),
  ];
}

const intoThing = (name: string, kind: "directory" | "other"): Expected =>
  kind === "directory" || name === "link" ? "harmless" : "LAYER_INVALID";

function privileges(): readonly HostileLayer[] {
  const modes = [0o4755, 0o2755, 0o6777, 0o7777];
  const attributes = [
    "trusted.overlay.opaque",
    "trusted.overlay.redirect",
    "trusted.overlay.metacopy",
    "user.overlay.opaque",
    "user.overlay.redirect",
    "security.capability",
    "security.selinux",
    "security.ima",
    "system.posix_acl_access",
  ];
  return [
    ...modes.flatMap((mode) =>
      kinds
        .filter(([kind]) => kind !== "hard link")
        .map(([kind, fields]) =>
          layer(`a ${kind} of mode ${mode.toString(8)}`, [{ name: "su", ...fields, mode }], "harmless"),
        ),
    ),
    ...["3", "4"].flatMap((flag) => [
      layer(`a device (${flag})`, [{ name: "dev", flag, mode: 0o666 }], "harmless"),
      layer(`a device in dev (${flag})`, [directory("dev/"), { name: "dev/sda", flag }], "harmless"),
      layer(
        `a second name of a device (${flag})`,
        [
          { name: "d", flag },
          { name: "e", flag: "1", link: "d" },
        ],
        "LAYER_INVALID",
      ),
    ]),
    ...attributes.flatMap((attribute) => [
      layer(`a file with ${attribute}`, [{ name: "x", pax: { [`SCHILY.xattr.${attribute}`]: "y" } }], "harmless"),
      layer(
        `a directory with ${attribute}`,
        [{ ...directory("x/"), pax: { [`LIBARCHIVE.xattr.${attribute}`]: "eQ==" } }],
        "harmless",
      ),
    ]),
    layer("an owner that Linux does not have", [{ name: "x", pax: { uid: "4294967295" } }], "LAYER_INVALID"),
    layer("an entry of an unknown type", [{ name: "x", flag: "Z" }], "LAYER_INVALID"),
    layer("an entry of GNU's multi-volume type", [{ name: "x", flag: "M" }], "LAYER_INVALID"),
  ];
}

function whiteouts({ relative }: Aim): readonly HostileLayer[] {
  return [
    layer("a whiteout of nothing", [{ name: ".wh." }], "LAYER_INVALID"),
    layer("a whiteout of the directory", [{ name: "a/.wh.." }], "LAYER_INVALID"),
    layer("a whiteout of its parent", [{ name: "a/.wh..." }], "LAYER_INVALID"),
    layer("a whiteout outside", [{ name: `${relative}/.wh.canary` }], "LAYER_INVALID"),
    layer("an opaque mark outside", [{ name: `${relative}/.wh..wh..opq` }], "LAYER_INVALID"),
    layer("a whiteout of the root", [{ name: ".wh..wh..opq" }], "harmless"),
    layer("files of AUFS", [{ name: ".wh..wh.plnk" }, { name: ".wh..wh.aufs" }], "harmless"),
    layer("a whiteout of a device", [{ name: "null", flag: "3" }, { name: ".wh.null" }], "harmless"),
  ];
}

function oddNames(): readonly HostileLayer[] {
  return [
    layer("a path of 300 directories", [{ name: "a", pax: { path: "d/".repeat(300) } }], "LAYER_INVALID"),
    layer("a path of 2,500 directories", [{ name: "a", pax: { path: "d/".repeat(2_500) } }], "LAYER_INVALID"),
    layer("300 directories by links", deepByLinks(300), "LAYER_INVALID"),
    layer("a name of 256 bytes", [{ name: "a", pax: { path: "n".repeat(256) } }], "LAYER_INVALID"),
    layer("a name of 255 bytes", [{ name: "a", pax: { path: "n".repeat(255) } }], "harmless"),
    layer("a link of 5,000 bytes", [{ ...link("a", ""), pax: { linkpath: "n".repeat(5_000) } }], "LAYER_INVALID"),
    layer("a NUL in a path", [{ name: "a", pax: { path: "a\0b" } }], "LAYER_INVALID"),
    layer("a NUL in a link", [{ ...link("a", ""), pax: { linkpath: "a\0b" } }], "LAYER_INVALID"),
    layer("a line break in a name", [{ name: "a\nb" }, { name: "a\rb" }, { name: "\u001b[2J" }], "harmless"),
    layer("names that are options", [{ name: "-C" }, { name: "--to-command=sh" }, { name: "-" }], "harmless"),
    layer("names that are patterns", [{ name: "*" }, { name: "[a]" }, { name: "\\" }, { name: "\\n" }], "harmless"),
    layer("a colon, as of another machine", [{ name: "host:x" }, { name: "user@host:/x" }], "harmless"),
    layer("no name", [{ name: "" }, { name: "/" }, { name: "./" }, { name: "//" }], "harmless"),
    layer("bytes that are no UTF-8", [{ name: "\xff\xfe" }], "harmless"),
    layer("links in a circle", [link("a", "b"), link("b", "a"), { name: "a/x" }], "LAYER_INVALID"),
    layer("a link to itself", [link("a", "a"), { name: "a/x" }], "LAYER_INVALID"),
    layer("a link to nothing", [link("a", "")], "LAYER_INVALID"),
  ];
}

/** Each link is short; following them one after the other is what makes the path long. */
function deepByLinks(depth: number): readonly RawEntry[] {
  const step = 20;
  const links = Array.from({ length: depth / step }, (_, index) =>
    link(`l${index}`, index === 0 ? "d/".repeat(step) : `l${index - 1}/${"d/".repeat(step)}`),
  );
  return [...links, { name: `l${depth / step - 1}/x` }];
}

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
  const packings: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
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
    packings.map(([packing, pack]) => ({ name: `${name} (${packing})`, bytes: pack(bytes), expected })),
  );
}

const paxRecordText = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`;
  for (let length = rest.length + 1; ; length++) {
    if (String(length).length + rest.length === length) return `${length}${rest}`;
  }
};
