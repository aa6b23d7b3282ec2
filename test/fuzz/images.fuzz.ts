import { expandWords } from "../../runtime/build/dockerfile/expand.ts";
import { Ignore } from "../../runtime/build/dockerfile/ignore.ts";
import { parseDockerfile } from "../../runtime/build/dockerfile/parse.ts";
import { planStages } from "../../runtime/build/dockerfile/stages.ts";
import { LayerError } from "../../runtime/image/tar-format.ts";
import { readTar } from "../../runtime/image/tar-reader.ts";
import { rawTar } from "../../runtime/image/image.fixture.ts";
import {
  digestOf,
  formatReference,
  ImageFault,
  mediaType,
  parseImageConfig,
  parseManifest,
  parseReference,
  parseWasmConfig,
  referencesOf,
} from "../../sdk/image/index.ts";
import type { Random } from "../../sdk/internal/index.ts";
import { DockerfileFault } from "../../sdk/wire/index.ts";
import { mutateBytes, mutateJson } from "./mutation.ts";

/** A parser of hostile bytes: what it gets, and what has to hold of whatever comes out. */
interface Target {
  readonly seeds: readonly (Uint8Array | object)[];
  /** Parses; throws a fault of the parser's own for what it refuses, and anything else for a bug. */
  readonly parse: (bytes: Buffer) => unknown;
}

/** A mutation of a seed of some kilobytes is parsed in far less; more is a parser that does not end. */
const parseMsMax = 2_000;

const blob = { mediaType: "application/octet-stream", digest: digestOf("x"), size: 1 };
const manifest = {
  schemaVersion: 2,
  mediaType: mediaType.manifest,
  artifactType: "text/test",
  config: { ...blob, mediaType: mediaType.config, data: "eA==" },
  layers: [blob, { ...blob, urls: ["https://a/b"], annotations: { a: "b" } }],
  subject: blob,
  annotations: { "org.opencontainers.image.title": "app" },
};
const index = {
  schemaVersion: 2,
  mediaType: mediaType.index,
  manifests: [
    { ...blob, mediaType: mediaType.manifest, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    { ...blob, mediaType: mediaType.manifest, platform: { os: "wasip2", architecture: "wasm", "os.features": ["x"] } },
  ],
};
const config = {
  created: "2026-01-01T00:00:00Z",
  ...{ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf("x")] } },
  config: {
    Env: ["A=b"],
    Entrypoint: ["/app"],
    Cmd: ["-v"],
    User: "1:1",
    ExposedPorts: { "80/tcp": {} },
    Labels: { a: "b" },
  },
  history: [{ created_by: "x", empty_layer: true }],
};
const wasmConfig = {
  ...{
    created: "2026-01-01T00:00:00Z",
    author: null,
    architecture: "wasm",
    os: "wasip2",
    layerDigests: [digestOf("x")],
  },
  component: { imports: ["wasi:cli/environment@0.2.0"], exports: ["wasi:http/incoming-handler@0.2.0"], target: null },
};
const archive = rawTar([
  { name: "etc/", flag: "5" },
  { name: "etc/motd", body: "hello", pax: { path: "etc/motd", mtime: "1.5", "SCHILY.xattr.user.a": "b" } },
  { name: "link", flag: "2", link: "../etc/passwd" },
  { name: "././@LongLink", flag: "L", body: `${"long/".repeat(40)}\0` },
  { name: "hard", flag: "1", link: "etc/motd" },
  { name: ".wh.gone" },
]);

const dockerfile = `# escape=\\
ARG V=\${W:-1}
FROM --platform=$BUILDPLATFORM base:$V AS a
ENV A=1 B="x \${A:+y}" C=\${B#x*} D=\${B//x/z}
RUN ["sh", "-c", "x"]
RUN <<EOF && y
z
EOF
HEALTHCHECK --interval=1m CMD x
FROM a
COPY --from=a --chown=1:2 b c* "d e" /f/
ONBUILD ADD x /
`;

const targets: Readonly<Record<string, Target>> = {
  manifest: { seeds: [manifest, index], parse: (bytes) => parsedTwice(bytes) },
  "image config": { seeds: [config], parse: (bytes) => parseImageConfig(bytes) },
  "wasm config": { seeds: [wasmConfig], parse: (bytes) => parseWasmConfig(bytes) },
  dockerfile: { seeds: [Buffer.from(dockerfile)], parse: (bytes) => dockerfileRead(bytes.toString("utf8")) },
  "ignore file": {
    seeds: [Buffer.from("# x\n**/a*\n!b/[^c-d]?\n/e/**/f\n\\!g\n")],
    parse: (bytes) => Ignore.parse(bytes.toString("utf8")).ignores("b/c/a/e/x/f"),
  },
  reference: {
    seeds: ["app", "a.b:5000/c/d:1", `docker.io/x@${digestOf("x")}`, "localhost/a__b/c--d:T_1.2-x"].map((text) =>
      Buffer.from(text),
    ),
    parse: (bytes) => referenceRead(bytes.toString("utf8")),
  },
};

/** What was understood is understood the same when it is written again, and names blobs by digests only. */
function parsedTwice(bytes: Buffer): unknown {
  const document = parseManifest(bytes, undefined);
  for (const child of referencesOf(document)) {
    hold(/^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/.test(child.digest), "a reference has no digest");
    hold(Number.isSafeInteger(child.size) && child.size >= 0, "a size is no size");
  }
  hold(JSON.stringify(parseManifest(bytes, document.mediaType)) === JSON.stringify(document), "its type changes it");
  return document;
}

function referenceRead(text: string): unknown {
  const reference = parseReference(text, { defaultRegistry: "127.0.0.1:5000" });
  const again = parseReference(formatReference(reference), { defaultRegistry: "elsewhere:1" });
  hold(JSON.stringify(again) === JSON.stringify(reference), "what is written is read as another one");
  const path = new URL(`http://x/v2/${reference.repository}/`).pathname;
  hold(path === `/v2/${reference.repository}/`, "a name changes on its way into a URL");
  return reference;
}

/** Read, planned and expanded, with variables that stand for each other. */
function dockerfileRead(text: string): unknown {
  const file = parseDockerfile(text);
  const lookup = (name: string): string | undefined => (name.length > 2 ? undefined : "x y/".repeat(20));
  for (const { line, text: shown } of file.instructions) {
    hold(line > 0 && line <= text.split("\n").length, "an instruction stands where nothing is");
    const words = expandWords(shown, { escape: file.escape, lookup, line });
    hold(words.join("").length <= 200_000, "a text grows without bound");
  }
  return planStages(file, { buildArgs: {}, platformArgs: {} });
}

function hold(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

/**
 * Gives each parser so many mutations of what it knows. @throws Error with the bytes, in base64, at the first that makes
 * it fail in another way than it may, or that takes too long
 */
export async function fuzzImages(random: Random, iterations: number): Promise<{ readonly accepted: number }> {
  let accepted = 0;
  for (const [name, { seeds, parse }] of Object.entries(targets)) {
    for (let round = 0; round < iterations; round++) {
      const bytes = mutated(random, seeds[round % seeds.length] ?? {});
      if (await survives(name, bytes, () => Promise.resolve(parse(bytes)))) accepted++;
    }
  }
  for (let round = 0; round < iterations; round++) {
    const bytes = mutateBytes(random, archive);
    if (await survives("tar", bytes, () => readAll(bytes, random))) accepted++;
  }
  hold(Reflect.ownKeys({}).length === 0 && !("polluted" in {}), "Object.prototype was changed");
  return { accepted };
}

function mutated(random: Random, seed: Uint8Array | object): Buffer {
  if (seed instanceof Uint8Array) return mutateBytes(random, seed);
  const bytes = Buffer.from(JSON.stringify(random.below(4) === 0 ? seed : mutateJson(random, seed)) ?? "");
  return random.below(3) === 0 ? mutateBytes(random, bytes) : bytes;
}

/** In chunks of any size, as a network gives them. */
async function readAll(bytes: Buffer, random: Random): Promise<void> {
  const step = 1 + random.below(2_000);
  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  }
  for await (const { body } of readTar(chunks())) {
    let length = 0;
    for await (const part of body) length += part.length;
    hold(length <= bytes.length, "an entry has more bytes than the archive");
  }
}

async function survives(name: string, bytes: Buffer, act: () => Promise<unknown>): Promise<boolean> {
  const before = process.threadCpuUsage();
  let accepted = false;
  try {
    await act();
    accepted = true;
  } catch (error) {
    if (![ImageFault, LayerError, DockerfileFault].some((kind) => error instanceof kind)) {
      throw new Error(`the ${name} parser failed on ${bytes.toString("base64")}`, { cause: error });
    }
  }
  // Not by the clock: on a busy machine that counts what others do.
  const { user, system } = process.threadCpuUsage(before);
  const tookMs = (user + system) / 1000;
  if (tookMs > parseMsMax) throw new Error(`the ${name} parser took ${tookMs} ms for ${bytes.toString("base64")}`);
  return accepted;
}
