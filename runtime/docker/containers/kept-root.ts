import { rm } from "node:fs/promises";
import { join } from "node:path";
import { keptRootDirectory } from "../../sandbox/pod-files.ts";
import type { ContainerRecord } from "./container-record.ts";
import { dockerNamespace, podContainer } from "./pod-spec.ts";

type Identity = Pick<ContainerRecord, "id">;

/** Where the node keeps what a container has written to its root, over restarts: `upper` and `work` of overlayfs. */
const keptRoot = (nodeDirectory: string, { id }: Identity): string =>
  keptRootDirectory(join(nodeDirectory, "native"), [dockerNamespace, id, podContainer].join("/"));

/** Its changes to its image, as overlayfs has them. Not there before its first start. */
export const upperDirectory = (nodeDirectory: string, record: Identity): string =>
  join(keptRoot(nodeDirectory, record), "upper");

export const removeKeptRoot = (nodeDirectory: string, record: Identity): Promise<void> =>
  rm(keptRoot(nodeDirectory, record), { recursive: true, force: true });
