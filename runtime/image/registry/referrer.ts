import type { Descriptor, ManifestDocument } from "@shallop/sdk/image";

/** Distribution specification, "Listing Referrers": the type is the manifest's own, else that of its config. */
export function referrerOf(descriptor: Descriptor, document: ManifestDocument): Descriptor {
  const artifactType = document.artifactType ?? (document.kind === "manifest" ? document.config.mediaType : undefined);
  return {
    ...descriptor,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(document.annotations).length === 0 ? {} : { annotations: document.annotations }),
  };
}
