// A hostile neighbour: swaps a directory and a symbolic link to outside, as fast as it can, until it is killed.
// Arguments: the directory that both are in. `door` is the name that changes between them.
import { renameSync } from "node:fs";

const at = process.argv[2] ?? "";
process.stdout.write("ready\n");
for (;;) {
  renameSync(`${at}/door`, `${at}/directory`);
  renameSync(`${at}/link`, `${at}/door`);
  renameSync(`${at}/door`, `${at}/link`);
  renameSync(`${at}/directory`, `${at}/door`);
}
