import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Where tests keep what is large and the same each time: engines, compilers, layers, compiled code. As `XDG_CACHE_HOME` of the command
 * line; whatever is in it is checked before it is used, so that it outlives a test and a run.
 */
export const keptCaches = join(tmpdir(), `shallop-test-cache-${process.getuid?.() ?? 0}`);

/** As the command line has it in there. */
export const keptBuildCache = join(keptCaches, "shallop");
