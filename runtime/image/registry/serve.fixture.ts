// A registry in a process of its own, to be killed. Started by kill.process.test.ts.

import { startRegistryServer } from "./server.ts";

const server = await startRegistryServer({ directory: process.argv[2] ?? "", port: 0 });
process.stdout.write(`${server.url} ${process.pid}\n`);
