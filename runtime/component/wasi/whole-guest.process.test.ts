import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@shallop/sdk/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exposeState } from "../core-module/expose-state.ts";
import { addressJudge } from "../egress/address-judge.ts";
import { Egress } from "../egress/egress.ts";
import type { GuestResponse, Instance, LoadedComponent } from "../engine.ts";
import { GuestExit } from "../guest-fault.ts";
import { jcoEngine } from "../jco-engine.ts";
import { planLinks } from "../link/plan-links.ts";
import { linkedEngine } from "../linked-engine.ts";
import { transpile } from "../transpile.ts";
import { ByteQueue, emptyQueue } from "./byte-queue.ts";
import { testContext } from "./context.fixture.ts";
import type { GuestSettings } from "./guest-context.ts";
import { wholeGuest } from "./testing/whole-guest.ts";

function linked(component: Uint8Array): LoadedComponent {
  const { plan, modules } = planLinks(component);
  const exposed = modules.map(exposeState);
  return linkedEngine.load({
    form: "linked",
    links: { plan, states: exposed.map(({ state }) => state) },
    modules: exposed.map(({ bytes }) => new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>)),
  });
}

async function bindings(component: Uint8Array): Promise<LoadedComponent> {
  const { glue, modules } = await transpile(component);
  const compiled = new Map(
    [...modules].map(([name, bytes]) => [name, new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>)]),
  );
  return jcoEngine.load({ form: "bindings", glue, glueCache: undefined, modules: compiled });
}

async function get(instance: Instance, target: string): Promise<string> {
  let content = "";
  const response: GuestResponse = {
    respond: () => undefined,
    body: {
      ready: () => true,
      capacity: () => 65_536,
      write: (bytes) => void (content += new TextDecoder().decode(bytes)),
      flushed: () => true,
      failure: () => undefined,
      subscribe: () => () => undefined,
    },
    finish: () => undefined,
    fail: () => undefined,
  };
  const head = { method: "GET", target, scheme: "http", authority: "test", headers: [] };
  await instance.handle({ ...head, body: emptyQueue() }, response);
  return content;
}

describe("a component that uses the whole of WASI 0.2", () => {
  let directory: string;
  let server: Server;
  let datagrams: UdpSocket;
  const loaded = new Map<string, LoadedComponent>();

  beforeAll(async () => {
    const component = await wholeGuest();
    loaded.set("linked", linked(component));
    loaded.set("bindings", await bindings(component));
    server = createServer({ allowHalfOpen: true }, (socket) =>
      socket.on("data", (chunk: Buffer) => socket.end(`pong to ${chunk.toString()}`)),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    datagrams = createSocket("udp4", (data, from) =>
      datagrams.send(`pong to ${data.toString()}`, from.port, from.address),
    );
    datagrams.bind(0, "127.0.0.1");
    await once(datagrams, "listening");
    directory = await mkdtemp(join(tmpdir(), "wasi-whole-"));
  });
  afterAll(async () => {
    server.close();
    datagrams.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function settings(): Promise<GuestSettings> {
    const host = await mkdtemp(join(directory, "granted-"));
    const stdin = new ByteQueue();
    stdin.push(new TextEncoder().encode("typed"));
    stdin.end();
    const resolve = (): Promise<{ address: string; family: number }[]> =>
      Promise.resolve([{ address: "127.0.0.1", family: 4 }]);
    return {
      ...testContext().context.settings,
      arguments: ["program", "--flag"],
      initialCwd: "/data",
      directories: [{ host, guest: "/data", writable: true }],
      stdin,
      terminals: ["stdout"],
      clock: systemClock,
      egress: new Egress(addressJudge({ allowed: ["127.0.0.1"] }), resolve),
    };
  }

  test.each(["linked", "bindings"])("does all of it, run by the engine for %s", async (form) => {
    const given = await settings();
    const instance = await loaded.get(form)!.instantiate(given);
    const tcpPort = (server.address() as AddressInfo).port;
    const answer = await get(instance, `/all?${tcpPort}?${datagrams.address().port}`);
    instance.dispose();
    expect(answer.split("\n")).toEqual([
      "arguments program --flag in /data",
      "stdin typed",
      "terminal true",
      "granted /data directory true",
      "wrote 11",
      "read world false",
      "stream hello files",
      "stat regular-file 11 true",
      "symlink dir/file 11",
      "entries dir=directory link=symbolic-link",
      "times 5",
      "same true",
      "hash true",
      'refused "not-permitted"',
      'missing "no-entry"',
      "tcp pong to ping true",
      'tcp refused "access-denied"',
      'bind refused "access-denied"',
      "udp sent 1",
      "udp pong to ping 127.0.0.1",
      "name ipv4 127.0.0.1",
    ]);
    expect(await readFile(join(given.directories[0]!.host, "dir/file"), "utf8")).toBe("hello files");
  });

  test.each(["linked", "bindings"])("ends with the code that it exits with, run by the engine for %s", async (form) => {
    const instance = await loaded.get(form)!.instantiate(await settings());
    const outcome = await get(instance, "/exit").catch((error: unknown) => error);
    instance.dispose();
    expect(outcome).toBeInstanceOf(GuestExit);
    expect(outcome).toMatchObject({ code: "GUEST_FAILED", exitCode: 7 });
  });
});
