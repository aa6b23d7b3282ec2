import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { attach, type Descriptor, formatReference, type ImageReference } from "../../image/index.ts";
import { errorCode } from "../../internal/fault.ts";
import {
  cycloneDxDocument,
  cycloneDxType,
  debianPackages,
  documentAttachment,
  inTotoType,
  npmPackages,
  provenanceStatement,
  spdxDocument,
  spdxType,
} from "../../trust/index.ts";
import { CliFault } from "../cli-fault.ts";
import type { Context } from "../context.ts";
import { orDash, table } from "../output/table.ts";
import { type LocalImages, openImages } from "../platform/image-store.ts";

export interface SbomFlags {
  readonly data?: string;
  readonly output?: string;
  /** A directory whose lock files say what is in the image. */
  readonly attach?: string;
  readonly provenance?: boolean;
  readonly format?: BillFormat;
}

/** Formats of bills of materials. */
const billFormats = ["spdx", "cyclonedx"] as const;
export type BillFormat = (typeof billFormats)[number];

const bills = {
  spdx: { type: spdxType, make: spdxDocument },
  cyclonedx: { type: cycloneDxType, make: cycloneDxDocument },
} as const satisfies Readonly<Record<BillFormat, unknown>>;

/** Files that say what is in a directory; the first that there are count. */
const lockFiles = [
  { name: "package-lock.json", read: npmPackages },
  { name: "var/lib/dpkg/status", read: debianPackages },
] as const;

const lockNames = lockFiles.map(({ name }) => name).join(", ");

/** An image has one bill, or one of each maker. */
const documentsMax = 20;

/** Shows what is in an image, as bills of materials beside it in its registry say; or puts one there. */
export async function sbom(context: Context, text: string, flags: SbomFlags): Promise<void> {
  const images = await openImages(context, flags);
  const reference = images.reference(text);
  if (flags.attach !== undefined) {
    const target = await images.registry.resolve(reference);
    const count = await attachFacts(context, images, {
      ...{ reference, target, directory: flags.attach },
      ...(flags.format === undefined ? {} : { format: flags.format }),
    });
    if (count === undefined) throw new CliFault("NOT_FOUND", `${flags.attach} has none of ${lockNames}`);
    return context.print(
      `${context.style.green(formatReference(reference))} has a bill of ${count} packages\n  ${target.digest}`,
    );
  }
  const { format } = flags;
  const types =
    flags.provenance === true
      ? [inTotoType]
      : (format === undefined ? billFormats : [format]).map((one) => bills[one].type);
  let documents: readonly unknown[] = [];
  // Two formats of one image say the same: one of them is enough.
  for (const type of types) if (documents.length === 0) documents = await documentsOf(images, reference, type);
  if (flags.output === "json" || flags.provenance === true) return context.print(JSON.stringify(documents, null, 2));
  if (documents.length === 0) {
    return context.print(`${text} has no bill of materials; give it one with: shallop sbom ${text} --attach DIRECTORY`);
  }
  const rows = documents.flatMap(packageRows);
  context.print(table(["PACKAGE", "VERSION", "LICENSE", "PURL"], rows));
}

/**
 * Makes a bill of materials, where a lock file says what went in, and a statement of how the image was made, and puts both
 * beside it. Resolves with the number of packages; undefined without a bill, since an empty one would say that nothing did.
 */
export async function attachFacts(
  context: Context,
  images: LocalImages,
  image: {
    readonly reference: ImageReference;
    readonly target: Descriptor;
    readonly directory: string;
    readonly format?: BillFormat;
  },
): Promise<number | undefined> {
  const { reference, target } = image;
  const directory = resolve(image.directory);
  const locks = await readLocks(directory);
  const packages = locks.flatMap(({ packages: some }) => some);
  const { registry, repository } = reference;
  // As the image itself says: the same build pushed again brings no second bill.
  const epochMs = Number(context.environment["SOURCE_DATE_EPOCH"] ?? 0) * 1000;
  const created = `${new Date(Number.isSafeInteger(epochMs) ? epochMs : 0).toISOString().slice(0, 19)}Z`;
  const subject = { name: `${registry}/${repository}`, digest: target.digest, created };
  const { type, make } = bills[image.format ?? "spdx"];
  const bill = documentAttachment(type, make(subject, packages), created);
  const facts = { source: basename(directory), locks: locks.map(({ name, sha256 }) => ({ name, sha256 })) };
  const statement = documentAttachment(inTotoType, provenanceStatement(subject, facts), created);
  const attachments = locks.length === 0 ? [statement] : [bill, statement];
  for (const attachment of attachments) await attach(images.registry, reference, target, attachment);
  return locks.length === 0 ? undefined : packages.length;
}

async function readLocks(directory: string) {
  const found = await Promise.all(
    lockFiles.map(async ({ name, read }) => {
      try {
        const text = await readFile(join(directory, name), "utf8");
        return [{ name, packages: read(text), sha256: createHash("sha256").update(text).digest("hex") }];
      } catch (error) {
        if (["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return [];
        throw new CliFault("NOT_FOUND", `${join(directory, name)} cannot be read`, { cause: error });
      }
    }),
  );
  return found.flat();
}

async function documentsOf(images: LocalImages, reference: ImageReference, type: string): Promise<readonly unknown[]> {
  const { digest } = await images.registry.resolve(reference);
  const { registry, repository } = reference;
  const { manifests } = await images.registry.referrers(reference, digest);
  const documents: unknown[] = [];
  for (const entry of manifests.filter(({ artifactType }) => artifactType === type).slice(0, documentsMax)) {
    const { document } = await images.registry.manifest({ registry, repository, digest: entry.digest });
    if (document.kind !== "manifest" || document.subject?.digest !== digest) continue;
    for (const layer of document.layers.filter(({ mediaType }) => mediaType === type)) {
      const bytes = await images.registry.bytes(reference, layer);
      documents.push(JSON.parse(new TextDecoder().decode(bytes)));
    }
  }
  return documents;
}

interface BillJson {
  /** SPDX. */
  readonly packages?: readonly {
    readonly name?: string;
    readonly versionInfo?: string;
    readonly licenseDeclared?: string;
    readonly externalRefs?: readonly { readonly referenceType?: string; readonly referenceLocator?: string }[];
  }[];
  /** CycloneDX. */
  readonly components?: readonly {
    readonly name?: string;
    readonly version?: string;
    readonly purl?: string;
    readonly licenses?: readonly { readonly expression?: string; readonly license?: { readonly id?: string } }[];
  }[];
}

/** Anybody may have written it: what is not there is left out. */
function packageRows(document: unknown): readonly (readonly string[])[] {
  const { packages = [], components = [] } = (document as BillJson | null) ?? {};
  const ofSpdx = packages.flatMap((one) => {
    const purl = one.externalRefs?.find(({ referenceType }) => referenceType === "purl")?.referenceLocator;
    if (purl === undefined) return [];
    const license = one.licenseDeclared === "NOASSERTION" ? undefined : one.licenseDeclared;
    return [[orDash(one.name), orDash(one.versionInfo), orDash(license), purl]];
  });
  const ofCycloneDx = components.flatMap(({ name, version, purl, licenses = [] }) =>
    purl === undefined
      ? []
      : [[orDash(name), orDash(version), orDash(licenses[0]?.expression ?? licenses[0]?.license?.id), purl]],
  );
  return [...ofSpdx, ...ofCycloneDx];
}
