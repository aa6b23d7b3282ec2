import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { LocalNativeImage } from "../../runtime/image/local-image.ts";

/**
 * A native image without a compiler or a registry: the layer holds the Node that runs this, the shared libraries it
 * needs, and one server script. It is real, and there wherever the project is installed. It costs disk once (150 MB,
 * a hard link where the file system allows one) and about 27 MB of memory a running
 * pod when several share the pages of Node.
 */
export interface NativeImageOptions {
  /** JavaScript (ESM) of `/server.mjs`. */
  readonly script?: string;
  /** Other files by absolute path in the image. */
  readonly files?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDir?: string;
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly stopSignal?: string;
}

/** Answers every request with `hello from native`, and ends on SIGTERM. */
export const helloScript = `
import { createServer } from "node:http";
const server = createServer((_, response) => response.end("hello from native\\n"));
server.listen(Number(process.env.PORT ?? 8080));
process.on("SIGTERM", () => process.exit(0));
`;

/** Makes the layers (once for each content, in the temporary directory) and returns the image as a node would have it. */
export function nativeImage(options: NativeImageOptions = {}): LocalNativeImage {
  const base = nodeLayer();
  const files = { "/server.mjs": options.script ?? helloScript, ...options.files };
  const key = createHash("sha256").update(JSON.stringify(files)).digest("hex");
  const app = cachedLayer(`app-${key.slice(0, 16)}`, (directory) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
  });
  return {
    variant: "native",
    digest: `sha256:${key}`,
    layerPaths: [base, app],
    config: {
      env: options.env ?? [],
      entrypoint: options.entrypoint ?? ["/usr/bin/node", "/server.mjs"],
      cmd: [],
      workingDir: options.workingDir ?? "",
      user: options.user ?? "",
      exposedPorts: [],
      ...(options.stopSignal === undefined ? {} : { stopSignal: options.stopSignal }),
    },
    sizeBytes: statSync(process.execPath).size,
  };
}

/** The layer with Node at `/usr/bin/node` and its libraries. */
export function nodeLayer(): string {
  const stat = statSync(process.execPath);
  return cachedLayer(`node-${process.version}-${process.arch}-${stat.size}`, (directory) => {
    place(process.execPath, join(directory, "usr/bin/node"));
    // `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)` and, for the loader, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
    const listed = execFileSync("ldd", [process.execPath], { encoding: "utf8" });
    for (const [path] of listed.matchAll(/\/[^\s]+(?= \(0x)/g)) place(path, join(directory, path));
  });
}

const cacheDirectory = (): string => join(tmpdir(), `shallop-native-layers-${process.getuid?.() ?? 0}`);

function cachedLayer(name: string, fill: (directory: string) => void): string {
  const directory = join(cacheDirectory(), name);
  if (existsSync(directory)) return directory;
  const partial = `${directory}.${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  chmodSync(partial, 0o755);
  fill(partial);
  try {
    renameSync(partial, directory);
  } catch {
    // Another process was first; its layer is the same.
    rmSync(partial, { recursive: true, force: true });
  }
  return directory;
}

function place(path: string, to: string): void {
  // A hard link to a symbolic link would lead nowhere inside the image.
  const from = realpathSync(path);
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
