import { engineBench, largeEngineBench, smallEngineBench } from "./engine.bench.ts";
import { gatewayBench, largeGatewayBench, smallGatewayBench } from "./gateway.bench.ts";
import { idleBench, largeIdleBench, smallIdleBench } from "./idle.bench.ts";
import { imagesBench, largeImagesBench, smallImagesBench } from "./images.bench.ts";
import { soakBench } from "./native.bench.ts";
import { platformBench } from "./platform.bench.ts";
import { largeProxiesBench, proxiesBench, smallProxiesBench } from "./proxies.bench.ts";

// `npm run bench [NAME] [-- --small]`: figures of the running system, each beside a peer or a limit that is measured in the
// same run. `--small` shows that a bench runs; its figures say nothing.

const isSmall = process.argv.includes("--small");
const benches: Readonly<Record<string, () => Promise<void>>> = {
  engine: () => engineBench(isSmall ? smallEngineBench : largeEngineBench),
  gateway: async () => {
    await gatewayBench(isSmall ? smallGatewayBench : largeGatewayBench);
    await idleBench(isSmall ? smallIdleBench : largeIdleBench);
    await proxiesBench(isSmall ? smallProxiesBench : largeProxiesBench);
  },
  images: () => imagesBench(isSmall ? smallImagesBench : largeImagesBench),
  platform: platformBench,
  soak: () => soakBench(isSmall ? 6 : 1000),
};
const asked = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
for (const [name, bench] of Object.entries(benches)) {
  if (asked.length === 0 || asked.includes(name)) await bench();
}
