import type { ApiObject } from "@shallop/sdk/api";
import { expect, test } from "vitest";
import { pod } from "../plans.fixture.ts";
import { type CollectAction, type OwnerState, planCollect } from "./plan.ts";

const owner = (uid: string, blockOwnerDeletion = true) => ({
  apiVersion: "v1",
  kind: "Owner",
  name: uid,
  uid,
  blockOwnerDeletion,
});
const owned = (...owners: ReturnType<typeof owner>[]): ApiObject => pod("p", { ownerReferences: owners });
const going = (...finalizers: string[]): ApiObject => pod("p", { deletionTimestamp: "now", finalizers });
const dependent = (block = true, more = {}): ApiObject =>
  pod("d", { ownerReferences: [owner("uid-of-p", block)], ...more });

const rows: {
  name: string;
  object: ApiObject;
  owners?: Record<string, OwnerState>;
  dependents?: ApiObject[];
  actions: CollectAction[];
}[] = [
  { name: "nobody's", object: pod("p"), actions: [] },
  { name: "its owner is there", object: owned(owner("a")), owners: { a: "present" }, actions: [] },
  {
    name: "its owner is gone",
    object: owned(owner("a")),
    owners: { a: "absent" },
    actions: [{ kind: "delete", foreground: false }],
  },
  {
    name: "one of two owners is gone",
    object: owned(owner("a"), owner("b")),
    owners: { a: "absent", b: "present" },
    actions: [{ kind: "drop-owners", uids: ["a"] }],
  },
  {
    name: "both are gone",
    object: owned(owner("a"), owner("b")),
    owners: { a: "absent", b: "absent" },
    actions: [{ kind: "delete", foreground: false }],
  },
  {
    name: "its owner waits for it, and others wait in it",
    object: owned(owner("a")),
    owners: { a: "waiting" },
    dependents: [dependent()],
    actions: [{ kind: "delete", foreground: true }],
  },
  {
    name: "its owner waits for it",
    object: owned(owner("a")),
    owners: { a: "waiting" },
    actions: [{ kind: "delete", foreground: false }],
  },
  { name: "on its way out for other reasons", object: going("other"), dependents: [dependent()], actions: [] },
  {
    name: "foreground: dependents first",
    object: going("foregroundDeletion"),
    dependents: [dependent()],
    actions: [{ kind: "delete-dependents" }],
  },
  {
    name: "foreground: they are on their way",
    object: going("foregroundDeletion"),
    dependents: [dependent(true, { deletionTimestamp: "now" })],
    actions: [],
  },
  {
    name: "foreground: one that does not block",
    object: going("foregroundDeletion"),
    dependents: [dependent(false)],
    actions: [{ kind: "delete-dependents" }, { kind: "remove-finalizer", finalizer: "foregroundDeletion" }],
  },
  {
    name: "foreground: all are gone",
    object: going("foregroundDeletion"),
    actions: [{ kind: "remove-finalizer", finalizer: "foregroundDeletion" }],
  },
  {
    name: "orphan: dependents are let go",
    object: going("orphan"),
    dependents: [dependent()],
    actions: [{ kind: "orphan-dependents" }],
  },
  {
    name: "orphan: all were let go",
    object: going("orphan"),
    actions: [{ kind: "remove-finalizer", finalizer: "orphan" }],
  },
];

test.each(rows)("planCollect: $name", ({ object, owners = {}, dependents = [], actions }) => {
  expect(planCollect(object, ({ uid }) => owners[uid] ?? "present", dependents)).toEqual(actions);
});
