/** Who asks. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** May do everything (Kubernetes' own group for that). */
export const mastersGroup = "system:masters";
export const gatewayUserName = "system:gateway";
const nodeUserPrefix = "system:node:";

export const adminUser: User = { name: "system:admin", groups: [mastersGroup, "system:authenticated"] };
export const gatewayUser: User = { name: gatewayUserName, groups: ["system:authenticated"] };
/** The control plane's own controllers, in-process. */
export const controllersUser: User = { name: "system:controllers", groups: [mastersGroup, "system:authenticated"] };

export const nodeUser = (nodeName: string): User => ({
  name: `${nodeUserPrefix}${nodeName}`,
  groups: ["system:nodes", "system:authenticated"],
});

/** The node whose agent `user` is; undefined for anybody else. */
export const nodeNameOf = (user: User): string | undefined =>
  user.groups.includes("system:nodes") && user.name.startsWith(nodeUserPrefix)
    ? user.name.slice(nodeUserPrefix.length)
    : undefined;

/** Turns a bearer token into a user; undefined when nobody has it. Compares in constant time. */
export interface Authenticator {
  authenticate(token: string): User | undefined;
}
