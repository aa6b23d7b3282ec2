import type { Random } from "../../sdk/internal/index.ts";

const pick = <Item>(random: Random, items: readonly Item[]): Item => {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error("there is nothing to pick from");
  return item;
};

/** What has broken parsers before: lengths at bounds, quotes, nothing, names of JavaScript's own. */
const nastyText: readonly string[] = [
  ...[
    "",
    "\0",
    "__proto__",
    "constructor",
    "../..",
    "a/../b",
    "\u202e",
    "%2e%2e",
    "x".repeat(5_000),
    "\ud800",
    "@",
    ":",
    "//",
  ],
  ...["sha256:", `sha256:${"0".repeat(63)}`, `sha512:${"a".repeat(128)}`, "-1", "1e999", "NaN", "[", "{", '"', "\n"],
];
const nastyValues: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 53,
  1e308,
  "",
  [],
  {},
  [[]],
  { __proto__: null },
  ...nastyText,
];

/** Changes some bytes: flipped, cut, repeated, inserted, overwritten. */
export function mutateBytes(random: Random, seed: Uint8Array): Buffer {
  let bytes = Buffer.from(seed);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(bytes.length + 1);
    switch (random.below(5)) {
      case 0:
        if (at < bytes.length) bytes[at] = random.below(256);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, nastyText)), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(at + 1))]);
        break;
      default:
        bytes.subarray(at, at + random.below(64)).fill(random.below(256));
    }
  }
  return bytes;
}

/** Changes some values of a JSON document, anywhere in it: another type, none, twice, under another name. */
export function mutateJson(random: Random, seed: unknown): unknown {
  const root = { value: structuredClone(seed) };
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const places = placesOf(root);
    const { holder, key } = pick(random, places);
    switch (random.below(5)) {
      case 0:
        Reflect.deleteProperty(holder, key);
        break;
      case 1:
        define(holder, pick(random, nastyText), holder[key]);
        break;
      case 2: {
        const times = random.below(40);
        if (sizeOf(root) * times > charactersMax) break;
        define(
          holder,
          key,
          Array.from({ length: times }, () => holder[key]),
        );
        break;
      }
      case 3:
        define(holder, key, { [pick(random, nastyText)]: holder[key] });
        break;
      default:
        define(holder, key, pick(random, nastyValues));
    }
  }
  return root.value;
}

/** Larger than the largest manifest that is read: parsers see too much, and not what only memory is spent on. */
const charactersMax = 16 * 1024 * 1024;

const sizeOf = (root: Holder): number => JSON.stringify(root).length;

type Holder = Record<string, unknown>;

const define = (holder: Holder, key: string, value: unknown): unknown =>
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });

/** As much of a document as is changed; what grows by its own changes would grow without end. */
const placesMax = 5_000;

function placesOf(root: Holder): readonly { readonly holder: Holder; readonly key: string }[] {
  const places: { holder: Holder; key: string }[] = [];
  const open: Holder[] = [root];
  for (let holder = open.pop(); holder !== undefined && places.length < placesMax; holder = open.pop()) {
    for (const key of Object.keys(holder)) {
      places.push({ holder, key });
      const child = holder[key];
      if (typeof child === "object" && child !== null) open.push(child as Holder);
    }
  }
  // The root itself can be replaced by nothing else than a value.
  return places.length === 0 ? [{ holder: root, key: "value" }] : places;
}
