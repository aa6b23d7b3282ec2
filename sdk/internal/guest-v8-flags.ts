/**
 * V8's flags of every process that runs guests or makes code caches for them (V8 refuses a cache that was made under
 * other flags). They are process-wide, so they are chosen here, once, with the reason of each.
 */
export const guestV8Flags: readonly string[] = [
  // `table.grow` beyond the default of ten million entries aborts the whole process, not the thread.
  "--wasm-max-table-size=100000",
  // Linear memory of any one module: 4 GiB is what 32 bits address; the cap of each pod is written into its modules.
  "--wasm-max-mem-pages=65536",
  // Baseline code looks for interrupts only when its tier-up budget is used up: 10 times sooner than by default, so that
  // a loop of slow instructions can be terminated in a tenth of a second. Sooner still makes the optimising compiler
  // take the second core while a pod starts.
  "--wasm-tiering-budget=1300000",
  // Function bodies are validated when they are first compiled; `prepare` has validated all of them once already.
  "--wasm-lazy-validation",
  // One function at a time is optimised behind a thread's back. By default four are, which take the cores from what a request waits for: of
  // a first answer of a guest with QuickJS a third was waiting for a core of two. A node has more processes than one.
  "--wasm-num-compilation-tasks=1",
  // A process keeps its modules by their component (`ArtifactCache`). V8's own cache takes their bytes for the key, and to hash those takes
  // longer than to read the module.
  "--no-wasm-native-module-cache",
  // Requests leave all that they have allocated behind. A thread that is busy with one at each collection makes V8 think that what it
  // allocates lives long, and put it with the old; there it keeps alive what is young, and half the processor collects garbage.
  "--no-allocation-site-pretenuring",
  // A thread that is ready holds 12 MB that live on. By default V8 looks through all of them when a little more comes, which is with
  // the first request: 15 ms on all cores.
  "--initial-old-space-size=32",
  // What a thread loads at its start lives on: smaller spaces for what is young are emptied in vain while it does, eight times.
  "--min-semi-space-size=2",
  // The glue is compiled from a file; nothing may be compiled from a string that a guest has made.
  "--disallow-code-generation-from-strings",
];
