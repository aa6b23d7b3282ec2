import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ContentStore,
  type Digest,
  type ImageReference,
  parseReference,
  pushImage,
  RegistryClient,
  type RegistryEndpoint,
  writeImage,
  type WrittenImage,
} from "@shallop/sdk/image";
import { type RegistryServer, startRegistryServer } from "./registry/server.ts";

/** A component's first eight bytes: enough to be stored, not to be run. */
export const componentBytes = Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);

/** A registry, a client of it and a store, in a directory that goes away with them. */
export interface Bench extends AsyncDisposable {
  readonly directory: string;
  readonly registry: RegistryServer;
  readonly client: RegistryClient;
  readonly store: ContentStore;
  reference(text: string): ImageReference;
  /** Writes and pushes an image with a Wasm variant, and with a native one of the given files. */
  publish(name: string, files?: Readonly<Record<string, string>>): Promise<WrittenImage>;
}

export async function openBench(endpoints?: ReadonlyMap<string, RegistryEndpoint>): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-image-"));
  const registry = await startRegistryServer({ directory: join(directory, "registry"), port: 0 });
  const client = new RegistryClient(endpoints === undefined ? {} : { endpoints });
  const store = await ContentStore.open(join(directory, "store"));
  const reference = (text: string): ImageReference =>
    parseReference(text, { defaultRegistry: `127.0.0.1:${registry.port}` });
  return {
    directory,
    registry,
    client,
    store,
    reference,
    publish: async (name, files) => {
      const component = join(directory, "component.wasm");
      await writeFile(component, componentBytes);
      const image = await writeImage(store, {
        wasm: { path: component, component: { imports: ["wasi:cli/environment@0.2.0"], exports: [] } },
        native: files === undefined ? [] : [await nativeSource(directory, files)],
      });
      await pushImage(client, store, { reference: reference(name), target: image.index });
      return image;
    },
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]();
      await registry[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function nativeSource(directory: string, files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(directory, "root-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(root, name, ".."), { recursive: true });
    await writeFile(join(root, name), content);
  }
  return {
    platform: { os: "linux", architecture: "amd64" },
    layers: [{ directory: root }],
    config: { entrypoint: ["/app"], env: ["A=b"], workingDir: "/", user: "1000:1000", exposedPorts: ["8080/tcp"] },
  };
}

/** An entry of a hand-made archive, any nonsense allowed. */
export interface RawEntry {
  readonly name: string;
  readonly flag?: string;
  readonly body?: string | Buffer;
  /** What the header claims, when that is not the truth. */
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly link?: string;
  readonly pax?: Readonly<Record<string, string>>;
}

/** An archive exactly as given, correct checksums included. */
export function rawTar(entries: readonly RawEntry[], options: { readonly end?: boolean } = {}): Buffer {
  const blocks = entries.flatMap((entry) => {
    const records = Object.entries(entry.pax ?? {}).map(([key, value]) => paxRecord(key, value));
    const extension = records.length === 0 ? [] : rawEntry({ name: "pax", flag: "x", body: records.join("") });
    return [...extension, ...rawEntry(entry)];
  });
  return Buffer.concat(options.end === false ? blocks : [...blocks, Buffer.alloc(1024)]);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  for (let length = rest.length + 1; ; length++) {
    if (String(length).length + rest.length === length) return `${length}${rest}`;
  }
}

function rawEntry(entry: RawEntry): readonly Buffer[] {
  const body = Buffer.from(entry.body ?? "");
  const header = Buffer.alloc(512);
  header.write(entry.name, 0, 100, "latin1");
  header.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, "0")}\0`, 100);
  header.write(`${(entry.uid ?? 0).toString(8).padStart(7, "0")}\0`, 108);
  header.write("0000000\0", 116);
  header.write(`${(entry.size ?? body.length).toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000001\0        ", 136);
  header.write(entry.flag ?? "0", 156, "latin1");
  header.write(entry.link ?? "", 157, 100, "latin1");
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
}

export const sha256 = (bytes: Uint8Array): Digest =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
