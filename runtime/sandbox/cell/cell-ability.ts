/** What was found out about a machine: see cell-facts.ts. */
export interface CellFacts {
  readonly platform: string;
  readonly arch: string;
  readonly isRoot: boolean;
  /** Path of util-linux' unshare(1). */
  readonly unshare: string | undefined;
  readonly ffi: boolean;
  readonly seccomp: boolean;
  /** Why our programs cannot be read by another user, when they cannot. */
  readonly unreadable: string | undefined;
  /** What a trial in a cell of each kind said; undefined when it worked. Asked for when it may be of use. */
  trial(tree: CellTree, ownUser: boolean): Promise<string | undefined>;
}

/** Whose rights make the file tree and the namespaces of a cell: root's, those of a user namespace, or there are none. */
type CellTree = "root" | "user" | "none";

/** What a cell is on this machine. */
export interface CellAbility {
  readonly tree: CellTree;
  /** Each cell is a user of its own. */
  readonly ownUser: boolean;
  /** System calls are closed. */
  readonly closesCalls: boolean;
  /** What a cell lacks here, and what to do about it: a sentence each. Empty: nothing. */
  readonly missing: readonly string[];
}

const noTree = "Wasm pods see the machine's files, processes and network as this user does if they break out of V8";
const noUser = "host processes run as the agent's own user";
const noFilter = "the system calls of host processes are not closed";

/** The strongest cell that works here. */
export async function decideCells(facts: CellFacts): Promise<CellAbility> {
  if (facts.platform !== "linux") {
    const message = `host processes are not locked down on ${facts.platform}: ${noTree}; run untrusted code on Linux`;
    return { tree: "none", ownUser: false, closesCalls: false, missing: [message] };
  }
  const { ffi } = facts;
  const hasNumbers = facts.arch === "x64" || facts.arch === "arm64";
  if (!ffi || !hasNumbers) {
    const why = ffi ? `there is no lock-down for ${facts.arch}` : "this Node has no node:ffi";
    const message = `host processes are not locked down, as ${why}: ${noTree}; ${ffi ? "use x86-64 or arm64" : "use Node 26.1 or newer"}`;
    return { tree: "none", ownUser: false, closesCalls: false, missing: [message] };
  }
  const closesCalls = facts.seccomp;
  const calls = closesCalls ? [] : [`${noFilter}: this kernel has no seccomp filters`];
  const tree = await decideTree(facts);
  return { ...tree, closesCalls, missing: [...tree.missing, ...calls] };
}

async function decideTree(facts: CellFacts): Promise<Omit<CellAbility, "closesCalls">> {
  const { isRoot, unshare, unreadable } = facts;
  const others = isRoot
    ? `${noUser}: ${unreadable ?? "they see the machine's files"}`
    : `${noUser}: only root may give them others; start shallop as root`;
  const none = (why: string): Omit<CellAbility, "closesCalls"> => {
    return { tree: "none", ownUser: false, missing: [`${noTree}: ${why}`, others] };
  };
  if (unshare === undefined) return none("unshare of util-linux is not installed; run `apt-get install util-linux`");
  if (isRoot) {
    const ownUser = unreadable === undefined;
    const refused = await facts.trial("root", ownUser);
    if (refused !== undefined) return none(`root may not make namespaces here (${refused}); give it CAP_SYS_ADMIN`);
    return { tree: "root", ownUser, missing: ownUser ? [] : [others] };
  }
  const refused = await facts.trial("user", false);
  if (refused === undefined) return { tree: "user", ownUser: false, missing: [others] };
  return none(
    `user namespaces are not allowed here (${refused}); start shallop as root, or allow them: \`sysctl user.max_user_namespaces=10000\`, and \`kernel.apparmor_restrict_unprivileged_userns=0\` on Ubuntu`,
  );
}
