// jco's bindings of one component, in a process of their own: one component spoils jco for the next. Standard input is the
// component, standard output what came of it, as V8 serialises it; the argument, if there is one, says which functions wait.
import { buffer } from "node:stream/consumers";
import { serialize } from "node:v8";
import { transpile, type WaitingFunctions } from "../transpile.ts";

const [, , waiting] = process.argv;
const options = waiting === undefined ? [] : ([JSON.parse(waiting) as WaitingFunctions] as const);
const transpiled = await transpile(await buffer(process.stdin), ...options);
process.stdout.end(serialize(transpiled), () => {
  // The transpiler's shim keeps a worker alive.
  process.exit(0);
});
