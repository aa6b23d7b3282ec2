import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { attach, type Descriptor, type Digest, digestHex, type ImageReference, isDigest } from "../../image/index.ts";
import { errorCode } from "../../internal/fault.ts";
import {
  cargoPackages,
  cycloneDxDocument,
  cycloneDxType,
  debianPackages,
  distinct,
  documentAttachment,
  goPackages,
  inTotoType,
  npmPackages,
  type Package,
  provenanceStatement,
  pythonPackages,
  spdxDocument,
  spdxType,
} from "../../trust/index.ts";
import type { BuiltVariant } from "../../wire/index.ts";
import { CliFault } from "../cli-fault.ts";
import type { Context } from "../context.ts";
import type { LocalImages } from "../platform/image-store.ts";

/** Formats of bills of materials. */
export const billFormats = ["spdx", "cyclonedx"] as const;
export type BillFormat = (typeof billFormats)[number];

export const bills = {
  spdx: { type: spdxType, make: spdxDocument },
  cyclonedx: { type: cycloneDxType, make: cycloneDxDocument },
} as const satisfies Readonly<Record<BillFormat, unknown>>;

/** Files that say what is in a directory; all that there are count. */
const lockFiles = [
  { name: "package-lock.json", read: npmPackages },
  { name: "go.mod", read: goPackages },
  { name: "Cargo.lock", read: cargoPackages },
  { name: "requirements.txt", read: pythonPackages },
  { name: "var/lib/dpkg/status", read: debianPackages },
] as const;

export const lockNames = lockFiles.map(({ name }) => name).join(", ");

/** How an image was made, and of what. */
export interface BuildFacts {
  /** What was built: the project's name. */
  readonly source: string;
  /** RFC 3339: as the image itself says. */
  readonly created: string;
  readonly locks: readonly { readonly name: string; readonly sha256: string }[];
  /** Undefined: nothing says all that went in. */
  readonly packages?: readonly Package[];
  readonly format: BillFormat;
}

/** @throws CliFault NOT_FOUND when a file is there and cannot be read */
export async function gatherFacts(context: Context, path: string, format: BillFormat = "spdx"): Promise<BuildFacts> {
  const directory = resolve(path);
  const found = await Promise.all(lockFiles.map(({ name, read }) => readLock(directory, name, read)));
  const locks = found.filter((lock) => lock !== undefined);
  const packages = locks.map((lock) => lock.packages);
  // As the image itself says: the same build pushed again brings no second bill.
  const epochMs = Number(context.environment["SOURCE_DATE_EPOCH"] ?? 0) * 1000;
  const created = `${new Date(Number.isSafeInteger(epochMs) ? epochMs : 0).toISOString().slice(0, 19)}Z`;
  return {
    ...{ source: basename(directory), created, format },
    locks: locks.map(({ name, sha256 }) => ({ name, sha256 })),
    ...(locks.length === 0 || packages.includes(undefined) ? {} : { packages: packages.flatMap((some) => some ?? []) }),
  };
}

/** With what package managers say is in the variants that were built from Dockerfiles: their bases, and what RUN has installed. */
export function withImagePackages(facts: BuildFacts, variants: readonly Pick<BuiltVariant, "packages">[]): BuildFacts {
  const found = variants.flatMap(({ packages = [] }) => packages);
  // A lock file that leaves something open leaves it open here, too.
  if (found.length === 0 || (facts.packages === undefined && facts.locks.length > 0)) return facts;
  return { ...facts, packages: distinct([...(facts.packages ?? []), ...found]) };
}

async function readLock(directory: string, name: string, read: (text: string) => readonly Package[] | undefined) {
  try {
    const text = await readFile(join(directory, name), "utf8");
    return { name, packages: read(text), sha256: createHash("sha256").update(text).digest("hex") };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return undefined;
    throw new CliFault("NOT_FOUND", `${join(directory, name)} cannot be read`, { cause: error });
  }
}

/**
 * Puts a bill of materials and a statement of how the image was made beside it in its registry. Resolves with the number of packages;
 * undefined without a bill: where nothing says all that went in, one would say that the rest did not.
 */
export async function attachFacts(
  images: LocalImages,
  { reference, target }: { readonly reference: ImageReference; readonly target: Descriptor },
  { source, created, locks, packages, format }: BuildFacts,
): Promise<number | undefined> {
  const { registry, repository } = reference;
  const subject = { name: `${registry}/${repository}`, digest: target.digest, created };
  const { type, make } = bills[format];
  const documents: readonly (readonly [type: string, document: object])[] = [
    ...(packages === undefined ? [] : [[type, make(subject, packages)] as const]),
    [inTotoType, provenanceStatement(subject, { source, locks })],
  ];
  for (const [kind, document] of documents)
    await attach(images.registry, reference, target, documentAttachment(kind, document, created));
  return packages?.length;
}

const factsDirectory = ({ directory }: Pick<LocalImages, "directory">): string => join(directory, "facts");
const factsFile = (images: Pick<LocalImages, "directory">, digest: Digest): string =>
  join(factsDirectory(images), `${digestHex(digest)}.json`);

/** Keeps what is known of an image that was built, for when it is pushed; and forgets it of images that are gone. */
export async function rememberFacts(
  images: Pick<LocalImages, "directory"> & { readonly store: Pick<LocalImages["store"], "has"> },
  digest: Digest,
  facts: BuildFacts,
): Promise<void> {
  const directory = factsDirectory(images);
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(directory)) {
    const known = `sha256:${name.replace(/\.json$/, "")}`;
    if (!isDigest(known) || !(await images.store.has(known))) await rm(join(directory, name), { force: true });
  }
  const file = factsFile(images, digest);
  await writeFile(`${file}.new`, JSON.stringify(facts));
  await rename(`${file}.new`, file);
}

/** Undefined of an image that was not built here. */
export async function rememberedFacts(
  images: Pick<LocalImages, "directory">,
  digest: Digest,
): Promise<BuildFacts | undefined> {
  const text = await readFile(factsFile(images, digest), "utf8").catch(() => undefined);
  // Ours: written whole, by a version that knows what it writes.
  return text === undefined ? undefined : (JSON.parse(text) as BuildFacts);
}
