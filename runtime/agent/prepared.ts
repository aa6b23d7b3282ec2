import path from "node:path";
import type { Clock, Random } from "@shallop/sdk/internal";
import { PreparedStore } from "../component/prepared-store.ts";

// Twelve hundred components of QuickJS, or a hundred of the largest. What is beyond is prepared again when it is wanted.
const preparedBytesMax = 2 * 1024 ** 3;

/** The content store of a node. */
export const imagesDirectory = (nodeDirectory: string): string => path.join(nodeDirectory, "images");

/** The node's prepared components: in the store of its images, and let go of with them. */
export const openPrepared = (
  nodeDirectory: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<PreparedStore> =>
  PreparedStore.open({ directory: imagesDirectory(nodeDirectory), bytesMax: preparedBytesMax, clock, random });
