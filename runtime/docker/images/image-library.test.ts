import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { noCredentials, parseReference } from "@shallop/sdk/image";
import { systemClock, systemRandom } from "@shallop/sdk/internal";
import { expect, test } from "vitest";
import { ImageLibrary } from "./image-library.ts";

test("who shows a login for the built-in registry is that user there, and everybody else the platform", async () => {
  const shown: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    shown.push(request.headers.authorization);
    response.writeHead(401, { "www-authenticate": 'Basic realm="r"' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const builtinRegistry = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const directory = await mkdtemp(join(tmpdir(), "shallop-library-"));
  try {
    const library = await ImageLibrary.open({
      ...{ directory, builtinRegistry, registryToken: "own", registryDirectory: directory },
      ...{ clock: systemClock, random: systemRandom },
    });
    const reference = parseReference(`${builtinRegistry}/team/app:1`, { defaultRegistry: builtinRegistry });
    const user = {
      credentials: async (host: string) =>
        host === builtinRegistry ? ({ kind: "basic", username: "ci", password: "p" } as const) : undefined,
    };
    const ask = async (who: typeof user | typeof noCredentials): Promise<readonly (string | undefined)[]> => {
      shown.length = 0;
      const client = await library.clientFor(who);
      await client.resolve(reference).catch(() => undefined);
      return [...shown];
    };
    expect(await ask(user)).toContain(`Basic ${Buffer.from("ci:p").toString("base64")}`);
    expect(shown).not.toContain("Bearer own");
    expect(await ask(noCredentials)).toContain("Bearer own");
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});
