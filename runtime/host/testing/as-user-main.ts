// Run by a test as a user without rights: a Wasm pod as that user's node would run it. Arguments: a component, and a port of
// this machine where somebody answers. Prints what came of it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cells } from "../../sandbox/cell/cells.ts";
import { never, RuntimeFixture } from "./runtime-fixture.ts";

export interface AsUser {
  readonly tree: string;
  readonly missing: readonly string[];
  readonly status: number;
  readonly fetched: string;
  /** Of the host processes: lines of /proc/PID/status. */
  readonly processes: readonly string[];
  /** In the run directory, at the end. */
  readonly left: readonly string[];
}

const [component = "", port = ""] = process.argv.slice(2);
const fixture = await RuntimeFixture.open();
const cells = await Cells.open({ directory: join(fixture.directory, "node") });
const runtime = await fixture.runtime(["127.0.0.1"], { cells });
const pod = await runtime.start(fixture.launch(await fixture.imageOf(readFileSync(component))), never);
const client = await fixture.connect(pod);
const { status } = (await client.get("/hello")).head;
const fetched = (await client.get(`/fetch?127.0.0.1:${port}`)).body.toString();
const processes = readdirSync(fixture.runDirectory)
  .filter((name) => /^h-\w+\.pid$/.test(name))
  .map((name) => {
    const { pid } = JSON.parse(readFileSync(join(fixture.runDirectory, name), "utf8")) as { readonly pid: number };
    return readFileSync(`/proc/${pid}/status`, "utf8");
  });
client[Symbol.dispose]();
await runtime.stop(pod.uid, 0);
await runtime.close();
const { tree, missing } = cells.ability;
const left = readdirSync(fixture.runDirectory);
const found: AsUser = { tree, missing, status, fetched, processes, left };
process.stdout.write(JSON.stringify(found), () => process.exit(0));
