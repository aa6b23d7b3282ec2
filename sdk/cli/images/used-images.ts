import { pods } from "../../api/index.ts";
import { isDigest, type StoredImage } from "../../image/index.ts";
import { CliFault } from "../cli-fault.ts";
import { connect, type ConnectionFlags, type Context } from "../context.ts";

/**
 * Which images pods run: each by what pods say that they run, its name or its digest. Without a platform there are no
 * pods; with one that does not answer nobody knows, which is said.
 */
export async function usedImages(
  context: Context,
  flags: ConnectionFlags,
  images: readonly StoredImage[],
): Promise<ReadonlyMap<StoredImage, readonly string[]>> {
  const words = await podWords(context, flags);
  return new Map(
    images.flatMap((image) => {
      const users = words.filter(({ text }) => isOf(image, text)).map(({ pod }) => pod);
      return users.length === 0 ? [] : [[image, [...new Set(users)]] as const];
    }),
  );
}

async function podWords(
  context: Context,
  flags: ConnectionFlags,
): Promise<readonly { readonly pod: string; readonly text: string }[]> {
  try {
    const client = await connect(context, flags);
    try {
      const { items } = await client.list(pods, {});
      return items.flatMap((pod) => {
        const name = `${pod.metadata.namespace ?? ""}/${pod.metadata.name}`;
        const said = pod.status?.containerStatuses?.flatMap(({ image, imageID }) => [image, imageID]) ?? [];
        return [...pod.spec.containers.map(({ image }) => image), ...said].map((text) => ({ pod: name, text }));
      });
    } finally {
      client.close();
    }
  } catch (error) {
    const isNone = error instanceof CliFault && error.code === "NO_PLATFORM";
    if (!isNone) process.stderr.write("the platform does not answer: which images its pods use is not known\n");
    return [];
  }
}

function isOf({ tags, blobs, target }: StoredImage, text: string): boolean {
  const digest = text.slice(text.indexOf("@") + 1);
  if (isDigest(digest)) return digest === target.digest || blobs.has(digest);
  return tags.some(({ name }) => name === text || name.slice(name.indexOf("/") + 1) === text);
}
