import { join } from "node:path";
import { Cells } from "../sandbox/cell/cells.ts";

/** How processes of one run are closed in. `cacheDirectory` is the user's, so that what is needed on disk is made there. */
export const standaloneCells = (cacheDirectory: string): Promise<Cells> =>
  Cells.open({ directory: join(cacheDirectory, "..", "cells"), remembersTrials: true });
