import type { Revision, RevisionSpec } from "../../api/index.ts";
import { type ImageDemands, newCapabilities, readDemands } from "../../trust/index.ts";
import type { LocalImages } from "./image-store.ts";

/** What an image asks for, as its registry has it; undefined when it is not there, or cannot be read. */
async function demandsOf(images: LocalImages, image: string): Promise<ImageDemands | undefined> {
  try {
    const reference = images.reference(image);
    const root = await images.registry.manifest(reference);
    return await readDemands(root, (blob) => images.registry.bytes(reference, blob));
  } catch {
    // Whether it can run is for the platform to say.
    return undefined;
  }
}

const nothing: ImageDemands = { kinds: [], imports: [], unlisted: [], users: [] };

/** What a revision of `image` with `spec` asks for that the running one does not. */
export async function capabilitiesAdded(
  images: LocalImages,
  change: { readonly running: Revision; readonly image: string; readonly spec: RevisionSpec },
): Promise<readonly string[]> {
  const { running, image, spec } = change;
  const runningImage = running.status?.containerStatuses?.[0]?.imageDigest ?? "";
  const [before, after] = await Promise.all([demandsOf(images, runningImage), demandsOf(images, image)]);
  if (after === undefined) return [];
  return newCapabilities({ image: before ?? nothing, spec: running.spec }, { image: after, spec });
}
