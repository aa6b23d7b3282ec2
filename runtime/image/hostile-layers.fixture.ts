import { type HostileLayer, layer, link } from "./hostile-layer.fixture.ts";
import type { RawEntry } from "./image.fixture.ts";
import { lyingLayers } from "./lying-layers.fixture.ts";

/** Where the attacks aim: a directory beside the one that layers are unpacked into. */
interface Aim {
  /** Absolute, with a file `canary` in it. */
  readonly outside: string;
  /** The same from the root of the layer. */
  readonly relative: string;
}

/** Every attack in every form, some 500. */
export function hostileLayers(aim: Aim): readonly HostileLayer[] {
  const all = [
    ...escapingNames(aim),
    ...writesThroughLinks(aim),
    ...hardLinksOut(aim),
    ...replacements(aim),
    ...secondNames(aim),
    ...privileges(),
    ...whiteouts(aim),
    ...oddNames(),
    ...longAttributes(),
    ...lyingLayers(),
  ];
  return all;
}

type Expected = HostileLayer["expected"];

const directory = (name: string): RawEntry => ({ name, flag: "5", mode: 0o755 });

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
    ["makes a device", { name: "way/sda", flag: "4" }, "harmless"],
    ["makes a sparse file", { name: "way/new", pax: { "GNU.sparse.size": "9", "GNU.sparse.map": "" } }, "harmless"],
    ["takes attributes along", { name: "way/new", pax: { "SCHILY.xattr.security.capability": "y" } }, "harmless"],
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
  ];
}

/** Names of one file, of links and of each other. */
function secondNames({ outside }: Aim): readonly HostileLayer[] {
  return [
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
    layer(
      "hard links in a circle",
      [
        { name: "a", flag: "1", link: "b" },
        { name: "b", flag: "1", link: "a" },
      ],
      "LAYER_INVALID",
    ),
    layer(
      "a second name of a file, whose first becomes a link out, then both written to",
      [
        { name: "a", body: "1" },
        { name: "b", flag: "1", link: "a" },
        link("a", `${outside}/canary`),
        { name: "b", body: "2" },
        { name: "a", body: "3" },
      ],
      "harmless",
    ),
    layer(
      "a hard link through a link",
      [directory("d/"), { name: "d/x", body: "1" }, link("way", "d"), { name: "got", flag: "1", link: "way/x" }],
      "harmless",
    ),
    layer("a hard link with a body", [{ name: "x" }, { name: "a", flag: "1", link: "x", size: 512 }], "harmless"),
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
    layer("a path of 65,536 directories", [{ name: "a", pax: { path: "d/".repeat(65_536) } }], "LAYER_INVALID"),
    layer("a path of 65,536 steps up", [{ name: "a", pax: { path: "../".repeat(65_536) } }], "LAYER_INVALID"),
    layer(
      "a link of 2,000 steps up",
      [link("l", ""), { name: "l/new" }].map((entry, at) =>
        at === 0 ? { ...entry, pax: { linkpath: "../".repeat(1_300) } } : entry,
      ),
      "harmless",
    ),
    layer(
      "a NUL in GNU's long name",
      [{ name: "././@LongLink", flag: "L", body: "a\0/../../outside/new\0" }, { name: "x" }],
      "harmless",
    ),
    layer(
      "a directory by its name that is a link by its type",
      [{ ...link("d/", "..") }, { name: "d/outside/new" }],
      "harmless",
    ),
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

/** Linux takes 64 KiB of an attribute, and of a name 255 bytes. */
const longAttributes = (): readonly HostileLayer[] => [
  layer(
    "an attribute of 70,000 bytes",
    [{ name: "a", pax: { "SCHILY.xattr.user.a": "x".repeat(70_000) } }],
    "LAYER_INVALID",
  ),
  layer(
    "an attribute with a name of 300 bytes",
    [{ name: "a", pax: { [`SCHILY.xattr.user.${"x".repeat(300)}`]: "x" } }],
    "harmless",
  ),
  layer(
    "an attribute without a name",
    [{ name: "a", pax: { "SCHILY.xattr.": "x", "SCHILY.xattr.user.": "x" } }],
    "harmless",
  ),
  layer(
    "an attribute of a name with an equals sign",
    [{ name: "a", pax: { "LIBARCHIVE.xattr.user.a%3Db": "eQ==" } }],
    "harmless",
  ),
];

const paxRecordText = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`;
  for (let length = rest.length + 1; ; length++) {
    if (String(length).length + rest.length === length) return `${length}${rest}`;
  }
};
