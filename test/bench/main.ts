import { platformBench } from "./platform.bench.ts";

// `npm run bench [NAME]`: figures of the running system, each beside a peer or a limit that is measured in the same run.

const benches: Readonly<Record<string, () => Promise<void>>> = { platform: platformBench };
const asked = process.argv.slice(2);
for (const [name, bench] of Object.entries(benches)) {
  if (asked.length === 0 || asked.includes(name)) await bench();
}
