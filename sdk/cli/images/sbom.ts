import { formatReference, type ImageReference } from "../../image/index.ts";
import { inTotoType } from "../../trust/index.ts";
import { CliFault } from "../cli-fault.ts";
import type { Context } from "../context.ts";
import { orDash, table } from "../output/table.ts";
import { type LocalImages, openImages } from "../platform/image-store.ts";
import { attachFacts, type BillFormat, billFormats, bills, gatherFacts, lockNames } from "./build-facts.ts";

export interface SbomFlags {
  readonly data?: string;
  readonly output?: string;
  /** A directory whose lock files say what is in the image. */
  readonly attach?: string;
  readonly provenance?: boolean;
  readonly format?: BillFormat;
}

/** An image has one bill, or one of each maker. */
const documentsMax = 20;

/** Shows what is in an image, as bills of materials beside it in its registry say; or puts one there. */
export async function sbom(context: Context, text: string, flags: SbomFlags): Promise<void> {
  const images = await openImages(context, flags);
  const reference = images.reference(text);
  if (flags.attach !== undefined) {
    const target = await images.registry.resolve(reference);
    const facts = await gatherFacts(context, flags.attach, flags.format);
    const count = await attachFacts(images, { reference, target }, facts);
    if (count === undefined)
      throw new CliFault("NOT_FOUND", `${flags.attach} has none of ${lockNames} that says all that went in`);
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
