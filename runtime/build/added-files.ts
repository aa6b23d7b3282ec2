import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Digester, ImageFault, isDigest } from "@shallop/sdk/image";
import { describeError } from "@shallop/sdk/internal";
import { DockerfileFault } from "@shallop/sdk/wire";
import { systemPath } from "../sandbox/kernel/command.ts";
import { fileBytes } from "./disk-bytes.ts";
import { builtNow, type DirectoryNode, type RegularNode } from "./file-tree.ts";
import { archiveTree } from "./image-tree.ts";
import { archiveBytesMax } from "./archive-entries.ts";
import type { BuildTools } from "./build-tools.ts";

/** A file of ADD that is fetched: larger ones come better as an image, which is kept. */
const downloadBytesMax = 2 * 1024 ** 3;
/** A slow mirror takes minutes; one that sends nothing for this long is gone. */
const downloadMsMax = 30 * 60_000;

/** Names the files of this process. */
let fileCount = 0;

/** Fetches a file for ADD. @throws DockerfileFault DOWNLOAD_FAILED | BUILD_LIMIT */
export async function download(
  source: { readonly url: string; readonly checksum: string | undefined },
  directory: string,
  signal: AbortSignal,
): Promise<RegularNode> {
  const url = URL.parse(source.url);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new DockerfileFault("DOWNLOAD_FAILED", `${source.url} is no address of http or https`);
  if (source.checksum !== undefined && !isDigest(source.checksum))
    throw new DockerfileFault("DOWNLOAD_FAILED", "--checksum is written sha256:…");
  const path = join(directory, `download-${fileCount++}`);
  const digester = new Digester(source.checksum?.startsWith("sha512") === true ? "sha512" : "sha256");
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(downloadMsMax)]) });
    if (!response.ok || response.body === null)
      throw new DockerfileFault("DOWNLOAD_FAILED", `${source.url} answers ${response.status}`);
    await using file = await open(path, "wx", 0o600);
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      digester.update(chunk);
      if (digester.size > downloadBytesMax)
        throw new DockerfileFault("BUILD_LIMIT", `${source.url} has more than ${downloadBytesMax} bytes`);
      await file.write(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DockerfileFault) throw error;
    throw new DockerfileFault("DOWNLOAD_FAILED", `${source.url} cannot be fetched: ${describeError(error)}`, {
      cause: error,
    });
  }
  const { size } = digester;
  const digest = digester.digest();
  if (source.checksum !== undefined && digest !== source.checksum)
    throw new DockerfileFault("DOWNLOAD_FAILED", `${source.url} has ${digest}, and --checksum says ${source.checksum}`);
  return {
    ...{ kind: "file", mode: 0o600, uid: 0, gid: 0, mtime: builtNow, xattrs: new Map(), size },
    content: { kind: "disk", path: Buffer.from(path) },
  };
}

/** The files in a local archive, which ADD unpacks; undefined when the file is none. @throws ImageFault LAYER_INVALID | TOO_LARGE */
export async function localArchive(
  path: string,
  { reader, scratch: directory, signal }: Pick<BuildTools, "reader" | "scratch" | "signal">,
): Promise<DirectoryNode | undefined> {
  const plain = await decompressed(path, directory, signal);
  const found = await reader.index(plain);
  return found === undefined ? undefined : archiveTree(found.entries, plain);
}

/** What Node does not decompress, and the programs that do. */
const programs: readonly { readonly program: string; readonly magic: Buffer }[] = [
  { program: "bzip2", magic: Buffer.from("BZh") },
  { program: "xz", magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) },
];

async function decompressed(path: string, directory: string, signal: AbortSignal): Promise<string> {
  const head = Buffer.alloc(6);
  {
    await using file = await open(path, "r");
    await file.read(head, 0, head.length, 0);
  }
  const found = programs.find(({ magic }) => head.subarray(0, magic.length).equals(magic));
  if (found === undefined) return path;
  const plain = join(directory, `archive-${fileCount++}`);
  const child = spawn(found.program, ["--decompress", "--stdout"], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { PATH: systemPath, LC_ALL: "C" },
    cwd: "/",
    signal,
    killSignal: "SIGKILL",
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", resolve);
  });
  const fed = pipeline(fileBytes(path), child.stdin).catch(() => undefined);
  try {
    await pipeline(bounded(child.stdout), createWriteStream(plain, { mode: 0o600 }));
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const code = await ended;
  await fed;
  if (code === 0) return plain;
  if (code === null && child.pid === undefined)
    throw new DockerfileFault(
      "BUILD_UNSUPPORTED",
      `unpacking it needs ${found.program}: run \`apt-get install ${found.program === "xz" ? "xz-utils" : "bzip2"}\``,
    );
  throw new ImageFault("LAYER_INVALID", `${found.program} cannot decompress it`);
}

async function* bounded(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0;
  for await (const piece of source) {
    bytes += piece.length;
    if (bytes > archiveBytesMax)
      throw new ImageFault("TOO_LARGE", `it decompresses to more than ${archiveBytesMax} bytes`);
    yield piece;
  }
}
