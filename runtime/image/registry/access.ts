import type { RegistryGrant, RepositoryName } from "@shallop/sdk/image";

/** What may be done with a repository; the words of token scopes. */
export type RegistryAction = "pull" | "push" | "delete";

/** Who is calling, and what for. */
export interface Principal {
  /** For people; never decided by. */
  readonly name: string;
  /** Whether a refusal is the last word (403), or another login or token could help (401). */
  readonly isFinal: boolean;
  may(action: RegistryAction, name: RepositoryName): boolean;
  /** Whether the repository is shown in the catalog. */
  sees(name: RepositoryName): boolean;
}

/** Who calls where there is no login, and the platform's own parts: all is theirs. */
export const anyone: Principal = { name: "anyone", isFinal: true, may: () => true, sees: () => true };

/** Who gave no login where one is wanted and nothing is public. */
export const nobody: Principal = { name: "nobody", isFinal: false, may: () => false, sees: () => false };

/** A user, by its grant. */
export const userPrincipal = (name: string, grant: RegistryGrant, isFinal: boolean): Principal => ({
  name,
  isFinal,
  may: (action, repository) => granted(grant, action, repository),
  sees: (repository) => granted(grant, "pull", repository),
});

/** Reading is pull; writing is that and push and delete. */
export function granted(grant: RegistryGrant, action: RegistryAction, name: string): boolean {
  const isWriter = grant.write.some((pattern) => matches(pattern, name));
  return isWriter || (action === "pull" && grant.read.some((pattern) => matches(pattern, name)));
}

/** `*` is every repository, `team/*` all below `team`, anything else that one. */
function matches(pattern: string, name: string): boolean {
  if (pattern === "*") return true;
  return pattern.endsWith("/*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}
