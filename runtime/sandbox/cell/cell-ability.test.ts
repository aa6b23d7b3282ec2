import { expect, test } from "vitest";
import { type CellFacts, decideCells } from "./cell-ability.ts";

const root: CellFacts = {
  platform: "linux",
  arch: "x64",
  isRoot: true,
  unshare: "/usr/bin/unshare",
  ffi: true,
  seccomp: true,
  unreadable: undefined,
  trial: () => Promise.resolve(undefined),
};
const refused = (): Promise<string> => Promise.resolve("unshare failed: Operation not permitted");

const cases: readonly {
  readonly name: string;
  readonly facts: Partial<CellFacts>;
  readonly cell: readonly [tree: string, ownUser: boolean, closesCalls: boolean];
  readonly missing: readonly RegExp[];
}[] = [
  { name: "root has all of it", facts: {}, cell: ["root", true, true], missing: [] },
  {
    name: "root whose code others cannot read",
    facts: { unreadable: "/root/shallop is not readable for other users" },
    cell: ["root", false, true],
    missing: [/agent's own user: \/root\/shallop is not readable/],
  },
  {
    name: "root without CAP_SYS_ADMIN",
    facts: { trial: refused },
    cell: ["none", false, true],
    missing: [/Operation not permitted\); give it CAP_SYS_ADMIN/, /agent's own user/],
  },
  {
    name: "a user",
    facts: { isRoot: false },
    cell: ["user", false, true],
    missing: [/only root may give them others/],
  },
  {
    name: "a user without user namespaces",
    facts: { isRoot: false, trial: refused },
    cell: ["none", false, true],
    missing: [/user namespaces are not allowed here .*max_user_namespaces/, /only root/],
  },
  {
    name: "a machine without util-linux",
    facts: { unshare: undefined },
    cell: ["none", false, true],
    missing: [/apt-get install util-linux/, /agent's own user/],
  },
  {
    name: "a kernel without seccomp",
    facts: { seccomp: false },
    cell: ["root", true, false],
    missing: [/no seccomp filters/],
  },
  {
    name: "macOS",
    facts: { platform: "darwin" },
    cell: ["none", false, false],
    missing: [/on darwin.*use|on darwin.*Linux/],
  },
  { name: "an old Node", facts: { ffi: false }, cell: ["none", false, false], missing: [/Node 26\.1 or newer/] },
  { name: "another architecture", facts: { arch: "riscv64" }, cell: ["none", false, false], missing: [/riscv64/] },
];

test.each(cases)("decideCells: $name", async ({ facts, cell, missing }) => {
  const ability = await decideCells({ ...root, ...facts });
  expect([ability.tree, ability.ownUser, ability.closesCalls]).toEqual(cell);
  expect(ability.missing).toHaveLength(missing.length);
  for (const [index, pattern] of missing.entries()) expect(ability.missing[index]).toMatch(pattern);
});

test("only what may be of use is tried", async () => {
  const tried: string[] = [];
  const trial: CellFacts["trial"] = (tree, ownUser) => {
    tried.push(`${tree} ${String(ownUser)}`);
    return Promise.resolve(undefined);
  };
  await decideCells({ ...root, trial });
  await decideCells({ ...root, isRoot: false, trial });
  await decideCells({ ...root, platform: "darwin", trial });
  expect(tried).toEqual(["root true", "user false"]);
});
