interface Difference {
  /** Of the script, after `:`, the line in which the command begins. */
  readonly at: readonly string[];
  readonly reason: string;
}

/** Where our engine does something else than a script of the reference tests says, and why that is left so. */
export const differences: readonly Difference[] = [
  {
    at: ["async/trap-on-reenter.wast:65", "async/trap-on-reenter.wast:86", "async/trap-on-reenter.wast:110"],
    reason:
      "A parent may call its child and be called by it (CanonicalABI.md, `may_enter_from`); the tests forbid it “for now”. So the first of them gets as far as the parent's own `unreachable`.",
  },
  {
    at: ["async/sync-streams.wast:208"],
    reason:
      "A call to an instance whose stack a blocked task has is STARTING (CanonicalABI.md, `Task.enter_implicit_thread`); the test wants STARTED.",
  },
  {
    at: [
      "async/dont-block-start.wast:24",
      "async/trap-if-block-and-sync.wast:287",
      "async/trap-if-block-and-sync.wast:289",
    ],
    reason:
      "Whether a call of an async function blocks is known when it does (CanonicalABI.md, `canon_lift`), so the callee is entered, and traps by its own `unreachable`; the tests want the trap before that.",
  },
  {
    at: [315, 317, 319, 321, 323, 325, 327, 329, 331].map((line) => `async/trap-if-block-and-sync.wast:${line}`),
    reason:
      "The handle is no handle, which is looked at before anything could block (CanonicalABI.md, `stream_copy`, `cancel_copy`, `canon_subtask_cancel`); both are traps.",
  },
  {
    at: ["async/during-sync-call-no-sibling-resume.wast:215"],
    reason:
      "A thread that is ready runs when the call is over that made it so, and traps; the test calls another function first.",
  },
  {
    at: ["async/builtin-trap-poisons-instance.wast:10", "async/builtin-trap-poisons-instance.wast:39"],
    reason: "Who calls a guest that has trapped is told what the trap was.",
  },
  {
    at: ["async/cancellable.wast:13", "async/cancellable.wast:322", "binary/binary.wast:974"],
    reason:
      "wasm-tools no longer reads `cancellable`, which the specification has taken back since (component-model#716). Our engine knows it still, and its own tests set it.",
  },
  {
    at: [
      "binary/binary.wast:1227",
      "validation/attributes.wast:202",
      "validation/attributes.wast:213",
      "validation/core-modules.wast:7",
      "validation/extern-names.wast:8",
    ],
    reason:
      "The component is valid, and imports what no host gives (a core module, an interface within one, a function under an interface's name): that is said when it is prepared.",
  },
  {
    at: ["validation/kebab.wast:4"],
    reason: "wasm-tools refuses two names that are one when their hyphens are left out.",
  },
];
