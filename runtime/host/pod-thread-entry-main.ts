// Where a pod thread begins: finds our own modules quickly, and loads pod-thread-main.ts.
import { registerHooks } from "node:module";

// What a relative specifier names is known, and so is its format. Node would ask the file system for each of 230 modules whether
// it is there, what its real path is, and for the package.json above it: a quarter of what it takes to make a thread.
registerHooks({
  resolve: (specifier, context, next) => {
    const { parentURL } = context;
    if (parentURL === undefined || !specifier.startsWith(".") || !specifier.endsWith(".ts"))
      return next(specifier, context);
    return { url: new URL(specifier, parentURL).href, format: "module-typescript", shortCircuit: true };
  },
});
await import("./pod-thread-main.ts");
