import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { alpinePackages, debianPackages, distinct, type Package } from "@shallop/sdk/trust";
import { type DirectoryNode, findPath, fromName, type RegularNode, toName } from "./file-tree.ts";
import type { Spool } from "./spool.ts";

/** Where distributions write down what is installed; the second of Alpine's since 3.23. */
const databases = [
  { path: "/var/lib/dpkg/status", kind: "debian" },
  { path: "/lib/apk/db/installed", kind: "alpine" },
  { path: "/usr/lib/apk/db/installed", kind: "alpine" },
] as const;
/** Of images without dpkg itself: a file a package. */
const debianDirectory = "/var/lib/dpkg/status.d";
const releasePaths = ["/etc/os-release", "/usr/lib/os-release"];

/** A whole Debian has five megabytes. */
const databaseBytesMax = 64 * 1024 ** 2;
const releaseBytesMax = 64 * 1024;
const filesMax = 20_000;

interface Database {
  readonly kind: "debian" | "alpine" | "release";
  readonly file: RegularNode;
}

/** What the package managers of distributions say is in an image, as bills of materials name it. */
export class ImagePackages {
  readonly #spool: Spool;
  readonly #directory: string;

  /** @param directory keeps what was read, for the same files of the same layers are read again and again */
  constructor(spool: Spool, directory: string) {
    this.#spool = spool;
    this.#directory = directory;
  }

  /** Undefined: no package manager says anything. @throws ImageFault LAYER_INVALID | TOO_LARGE | BLOB_UNKNOWN */
  async of(tree: DirectoryNode): Promise<readonly Package[] | undefined> {
    const found = databasesOf(tree);
    if (!found.some(({ kind }) => kind !== "release")) return undefined;
    const key = createHash("sha256")
      .update(JSON.stringify(found.map(({ kind, file }) => [kind, file.content])))
      .digest("hex");
    const path = join(this.#directory, `${key}.json`);
    const known = await readFile(path, "utf8").catch(() => undefined);
    // Written by this program, whole or not at all, into a directory of this user's.
    if (known !== undefined) return JSON.parse(known) as readonly Package[];
    const packages = await this.#read(found);
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.${process.pid}`, JSON.stringify(packages));
    await rename(`${path}.${process.pid}`, path);
    return packages;
  }

  async #read(found: readonly Database[]): Promise<readonly Package[]> {
    await this.#spool.fetch(found.map(({ file }) => file));
    const texts = await Promise.all(found.map(async ({ kind, file }) => ({ kind, text: await this.#text(file) })));
    const textsOf = (wanted: Database["kind"]): string =>
      texts.flatMap(({ kind, text }) => (kind === wanted ? [text] : [])).join("\n\n");
    const distribution = /^ID="?([a-z0-9._-]{1,64})"?$/m.exec(textsOf("release"))?.[1];
    return distinct([
      ...debianPackages(textsOf("debian"), distribution),
      ...alpinePackages(textsOf("alpine"), distribution),
    ]);
  }

  async #text(file: RegularNode): Promise<string> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#spool.bytes(file)) pieces.push(piece);
    return Buffer.concat(pieces).toString("utf8");
  }
}

/** Those that there are, in a fixed order; one that is too large is nobody's. */
function databasesOf(tree: DirectoryNode): readonly Database[] {
  const at = (path: string, kind: Database["kind"], bytesMax = databaseBytesMax): readonly Database[] => {
    const { node } = findPath(tree, toName(path), { outside: "stay" });
    return node?.kind === "file" && node.size <= bytesMax ? [{ kind, file: node }] : [];
  };
  const directory = findPath(tree, toName(debianDirectory), { outside: "stay" }).node;
  const single = directory?.kind === "directory" ? [...directory.children.keys()].sort().slice(0, filesMax) : [];
  return [
    ...releasePaths.flatMap((path) => at(path, "release", releaseBytesMax)).slice(0, 1),
    ...databases.flatMap(({ path, kind }) => at(path, kind)),
    ...single
      .map(fromName)
      .filter((name) => !name.endsWith(".md5sums"))
      .flatMap((name) => at(`${debianDirectory}/${name}`, "debian")),
  ];
}
