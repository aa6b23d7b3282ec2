import { once } from "node:events";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { never, RuntimeFixture } from "../../runtime/host/testing/runtime-fixture.ts";
import type { WireClient } from "../../runtime/host/testing/wire-client.ts";
import type { PodLimits } from "../../runtime/pod/pod-runtime.ts";
import { shallop } from "../../runtime/standalone/testing/shallop.ts";
import { compileGuest } from "../support/async-guests.ts";
import { type Answering, type Bench, openBench, serveComponent } from "../support/compiled.ts";
import { missingTools } from "../support/toolchains.ts";

const note = missingTools.c === undefined ? "" : ` (not tested: ${missingTools.c})`;

// Guests of WASI 0.3 that were compiled from C, on our engine: a service whose tasks wait by returning, and a command on a stack
// that is suspended.

/** A busy machine is slow. */
const patient = { timeout: 10_000 };

interface Heard {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly trailers: IncomingMessage["trailers"];
  readonly text: string;
}

async function hear(incoming: IncomingMessage): Promise<Heard> {
  let text = "";
  for await (const chunk of incoming) text += String(chunk);
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, trailers: incoming.trailers, text };
}

function get(url: string): Promise<Heard> {
  return new Promise((resolve, reject) => {
    request(url, { agent: false }, (incoming) => hear(incoming).then(resolve, reject))
      .on("error", reject)
      .end();
  });
}

describe.skipIf(missingTools.c !== undefined)(`guests of WASI 0.3${note}`, () => {
  let bench: Bench;
  let service: string;
  let command: string;
  beforeAll(async () => {
    bench = await openBench();
    service = await compileGuest("service", bench.directory);
    command = await compileGuest("command", bench.directory);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const serve = (...flags: readonly string[]): Promise<Answering> => serveComponent(service, ...flags);

  describe("a service", () => {
    test("answers with a body and trailers, and is used again", async () => {
      await using served = await serve();
      const answers = [await get(`${served.url}/`), await get(`${served.url}/`)];
      expect(answers.map(({ text }) => text)).toEqual([
        "served 1, at once 1, most 1\n",
        "served 2, at once 1, most 1\n",
      ]);
      expect(answers[0]).toMatchObject({ status: 200, trailers: { "x-served": "1" } });
    });

    describe("in a fresh instance for each request", () => {
      let served: Answering;
      beforeAll(async () => {
        served = await serve("--reuse", "1");
      });
      afterAll(() => served[Symbol.asyncDispose]());

      test("a request streams in while its answer streams out, and its trailers come back", async () => {
        const asking = request(`${served.url}/upper`, { method: "POST", headers: { trailer: "x-end" } });
        asking.write("one ");
        const [incoming] = (await once(asking, "response")) as [IncomingMessage];
        const [first] = (await once(incoming, "data")) as [Buffer];
        asking.write("two");
        const [second] = (await once(incoming, "data")) as [Buffer];
        asking.addTrailers({ "x-end": "yes" });
        asking.end();
        await once(incoming, "end");
        expect([String(first), String(second), incoming.trailers]).toEqual(["ONE ", "TWO", { "x-end": "yes" }]);
      });

      test("a mebibyte goes through it", async () => {
        const body = Buffer.alloc(1 << 20, "abc ");
        const asking = request(`${served.url}/upper`, { method: "POST" });
        asking.end(body);
        const [incoming] = (await once(asking, "response")) as [IncomingMessage];
        expect((await hear(incoming)).text === body.toString().toUpperCase()).toBe(true);
      });

      test("waits for what the host brings, and is ended when nothing can come any more", async () => {
        expect((await get(`${served.url}/wait/50`)).text).toBe("served 1, at once 1, most 1\n");
        expect((await get(`${served.url}/late/50`)).status).toBe(200);
        expect(await get(`${served.url}/never`)).toMatchObject({ status: 502 });
        await expect.poll(served.output, patient).toContain("deadlock: each task of the guest waits");
      });
    });

    test("two requests are in one instance, and the second is finished first", async () => {
      await using served = await serve();
      const order: string[] = [];
      const slow = get(`${served.url}/wait/2000`).then((heard) => (order.push("slow"), heard));
      await expect.poll(async () => (await get(`${served.url}/`)).text, patient).toMatch(/at once 2/);
      const quick = await get(`${served.url}/wait/10`);
      order.push("quick");
      expect(quick.text).toMatch(/at once 2, most 2/);
      expect((await slow).text).toMatch(/at once 1, most 2/);
      expect(order).toEqual(["quick", "slow"]);
    });

    test.each([
      { flags: ["--reuse", "1"], served: [1, 1, 1] },
      { flags: ["--reuse", "2"], served: [1, 2, 1] },
    ])("$flags: an instance serves as many", async ({ flags, served: expected }) => {
      await using served = await serve(...flags);
      const seen: number[] = [];
      for (const _ of expected) seen.push(Number(/served (\d+)/.exec((await get(`${served.url}/`)).text)?.[1]));
      expect(seen).toEqual(expected);
    });

    test("no more than --reuse-at-once are in one instance", async () => {
      await using served = await serve("--reuse-at-once", "2");
      const answers = await Promise.all(Array.from({ length: 6 }, () => get(`${served.url}/wait/500`)));
      const most = answers.map(({ text }) => Number(/most (\d+)/.exec(text)?.[1]));
      expect(Math.max(...most)).toBe(2);
    });

    test("an instance that serves nothing for --reuse-idle is dropped", async () => {
      await using served = await serve("--reuse-idle", "50ms");
      await get(`${served.url}/`);
      await expect
        .poll(async () => (await get(`${served.url}/`)).text, { ...patient, interval: 300 })
        .toBe("served 1, at once 1, most 1\n");
    });

    test("a trap fails all requests that are in the instance, and no other", async () => {
      await using served = await serve();
      const waiting = get(`${served.url}/wait/5000`);
      await expect.poll(async () => (await get(`${served.url}/`)).text, patient).toMatch(/at once 2/);
      const trapped = await get(`${served.url}/trap/50`);
      expect([trapped.status, (await waiting).status]).toEqual([502, 502]);
      expect((await get(`${served.url}/`)).text).toBe("served 1, at once 1, most 1\n");
      await expect.poll(() => served.output().match(/failed: the guest failed: trap/g) ?? [], patient).toHaveLength(2);
    });

    test("an error of the guest is a 502 that its log explains, and no trap", async () => {
      await using served = await serve();
      expect((await get(`${served.url}/error`)).status).toBe(502);
      await expect.poll(() => served.output(), patient).toMatch(/answered with the error internal-error: out of luck/);
      expect((await get(`${served.url}/`)).text).toMatch(/served 2/);
    });

    test("work after the answer goes on, and the instance serves others meanwhile", async () => {
      await using served = await serve();
      expect((await get(`${served.url}/late/2000`)).text).toMatch(/at once 1/);
      expect((await get(`${served.url}/`)).text).toMatch(/served 2, at once 2/);
      await expect.poll(async () => (await get(`${served.url}/`)).text, patient).toMatch(/at once 1/);
    });

    test("a request that spins is stopped, with those that are in its instance", async () => {
      await using served = await serve("--timeout", "1s");
      const waiting = get(`${served.url}/wait/5000`);
      await expect.poll(async () => (await get(`${served.url}/`)).text, patient).toMatch(/at once 2/);
      expect((await get(`${served.url}/spin/1`)).status).toBe(504);
      expect((await waiting).status).toBeGreaterThanOrEqual(502);
      expect((await get(`${served.url}/`)).text).toBe("served 1, at once 1, most 1\n");
    });

    test("a client that leaves costs the others nothing", async () => {
      await using served = await serve();
      const leaving = request(`${served.url}/wait/60000`);
      leaving.on("error", () => undefined);
      leaving.end();
      await expect.poll(async () => (await get(`${served.url}/`)).text, patient).toMatch(/at once 2/);
      const staying = get(`${served.url}/wait/300`);
      leaving.destroy();
      expect((await staying).status).toBe(200);
    });

    test("what it asks of others comes through it, trailers and all", async () => {
      const origin = createServer((_incoming, outgoing) => {
        outgoing.writeHead(200, { trailer: "x-sum" });
        outgoing.write("from ");
        outgoing.addTrailers({ "x-sum": "7" });
        setTimeout(() => outgoing.end("afar"), 20);
      }).listen(0, "127.0.0.1");
      await once(origin, "listening");
      const authority = `127.0.0.1:${(origin.address() as AddressInfo).port}`;
      try {
        await using served = await serve("--allow-host", authority, "--reuse", "1");
        const heard = await get(`${served.url}/fetch/${authority}/path`);
        expect(heard).toMatchObject({ status: 200, text: "from afar", trailers: { "x-sum": "7" } });
        expect(heard.headers["x-forwarded"]).toBe("1");
        const refused = await get(`${served.url}/fetch/10.0.0.1/`);
        // `destination-IP-prohibited`
        expect([refused.status, refused.text]).toEqual([502, "error 4"]);
      } finally {
        origin.closeAllConnections();
        origin.close();
      }
    });
  });

  describe("a pod", () => {
    let fixture: RuntimeFixture;
    beforeAll(async () => {
      fixture = await RuntimeFixture.open();
    });
    afterAll(() => fixture[Symbol.asyncDispose]());

    async function started(limits: Partial<PodLimits> = {}): Promise<WireClient> {
      const runtime = await fixture.runtime();
      const image = await fixture.imageOf(await readFile(service));
      return fixture.connect(await runtime.start(fixture.launch(image, "default", limits), never));
    }

    const text = async (client: WireClient, target: string): Promise<string> => String((await client.get(target)).body);

    test("shares its instances as its revision says, and trailers come over the wire", async () => {
      using client = await started({ reuse: { requestsMax: 3, atOnceMax: 2 } });
      const slow = text(client, "/wait/1500");
      await expect.poll(() => text(client, "/"), patient).toMatch(/served \d, at once 2, most 2/);
      const crowd = await Promise.all(Array.from({ length: 5 }, () => text(client, "/wait/300")));
      expect(Math.max(...crowd.map((one) => Number(/most (\d)/.exec(one)?.[1])))).toBe(2);
      expect(Math.max(...crowd.map((one) => Number(/served (\d)/.exec(one)?.[1])))).toBeLessThanOrEqual(3);
      expect(await slow).toMatch(/most 2/);
      const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
      const head = { method: "POST", target: "/upper", scheme: "http", authority: "a", headers: [] } as const;
      let body = "";
      const stream = client.connection.request(
        { ...head, requestId: "r-2", timeoutMs: 10_000 },
        {
          data: (chunk) => void (body += String(chunk)),
          end: (trailers = []) => resolve(trailers),
          failed: reject,
        },
      );
      stream.write(Buffer.from("whispered"));
      stream.end(["x-end", "yes"]);
      expect([await promise, body]).toEqual([["x-end", "yes"], "WHISPERED"]);
    });

    test("loses the requests of an instance that is taken off its thread, and no more", async () => {
      using client = await started({ requestTimeoutMs: 1000 });
      const beside = client.get("/wait/60000").catch((error: unknown) => error);
      await expect.poll(() => text(client, "/"), patient).toMatch(/at once 2/);
      const spinning = client.get("/spin/1").catch((error: unknown) => error);
      expect(await spinning).toMatchObject({ code: expect.stringMatching(/^GUEST_(TIMEOUT|CPU)$/) as string });
      expect(await beside).toBeInstanceOf(Error);
      expect(await text(client, "/")).toBe("served 1, at once 1, most 1\n");
    });
  });

  describe("a command", () => {
    test("reads its input, waits, writes and reads files, and talks to a server", async () => {
      const server = createTcpServer({ allowHalfOpen: true }, (socket) =>
        socket.on("data", (chunk) => socket.end(`pong to ${String(chunk)}`)),
      ).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const granted = await mkdtemp(join(bench.directory, "granted-"));
      try {
        const flags = ["--dir", `${granted}::/data`, "--allow-host", "127.0.0.1"];
        const args = ["run", command, ...flags, "--", String(port), "7"];
        const ended = await shallop(args, {
          input: Buffer.from("what is typed"),
        });
        expect([ended.stderr, ended.code]).toEqual(["", 7]);
        expect(ended.stdout.toString().split("\n")).toEqual([
          "read what is typed well",
          "waited long enough",
          "chance",
          "wrote well",
          "file has files",
          "entries 1",
          "sent well, got pong to ping",
          "",
        ]);
        expect(await readFile(join(granted, "written.txt"), "utf8")).toBe("hello files");
      } finally {
        server.close();
      }
    });

    test("is given nothing that is not granted", async () => {
      const args = ["run", command, "--", "9", "1"];
      const ended = await shallop(args);
      expect(ended.stdout.toString()).toMatch(/no directory\nno connection\n/);
      expect(ended.code).toBe(1);
    });
  });

  test("inspect says what they are", async () => {
    const args = (path: string): readonly string[] => ["inspect", path, "-o", "json"];
    for (const [path, world] of [
      [service, "wasi:http/service@0.3.0"],
      [command, "wasi:cli/command@0.3.0"],
    ] as const) {
      const { stdout } = await shallop(args(path));
      expect(JSON.parse(stdout.toString())).toMatchObject({ world, wasiVersion: "0.3.0", refused: [] });
    }
  });
});
