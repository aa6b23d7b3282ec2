import { expect, test } from "vitest";
import { PodFault } from "../pod/pod-runtime.ts";
import { otherUser } from "./exec.ts";

const files = { passwd: "root:x:0:0::/root:/bin/sh\napp:x:1001:1002::/:/bin/sh\n", group: "" };

test.each([
  ["root", "0", { mayBeRoot: true }, 0],
  ["root by name", "root", { mayBeRoot: true }, 0],
  ["somebody else", "app", { mayBeRoot: true }, 1001],
  ["somebody else where nobody is root", "app", {}, 1001],
  ["root where nobody is root", "0:1002", {}, "EXEC_FAILED"],
  ["root by name where nobody is root", "root", {}, "EXEC_FAILED"],
  ["nobody that there is", "nosuch", { mayBeRoot: true }, "EXEC_FAILED"],
] as const)("a command as %s", (_what, text, record, outcome) => {
  const find = (): number =>
    otherUser({ own: { uid: 1001, gid: 1002, additionalGids: [] }, ...record }, text, files).uid;
  if (typeof outcome === "number") expect(find()).toBe(outcome);
  else expect(find).toThrow(expect.objectContaining({ constructor: PodFault, code: outcome }));
});
