import type { ContentStore } from "@shallop/sdk/image";
import type { Clock, Log, Random } from "@shallop/sdk/internal";
import type { Claims } from "./claims.ts";
import type { QuotaKeeper } from "./quota.ts";
import type { RegistryRepositories } from "./repositories.ts";
import type { UpstreamCache } from "./upstream.ts";
import type { RegistryUploads } from "./uploads.ts";

/** What a registry is made of; each part takes those that it needs. */
export interface RegistryParts {
  readonly directory: string;
  readonly store: ContentStore;
  readonly repositories: RegistryRepositories;
  readonly uploads: RegistryUploads;
  readonly claims: Claims;
  readonly quota: QuotaKeeper;
  readonly upstream: UpstreamCache;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
