// Where a pod thread begins: finds our own modules quickly, and loads pod-thread-main.ts.
import "../known-modules.ts";

await import("./pod-thread-main.ts");
