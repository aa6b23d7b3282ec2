import { once } from "node:events";
import { createServer, get, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { sendBody } from "./send-body.ts";

/** The port of a server that answers every request so. */
async function serving(answer: (outgoing: ServerResponse) => Promise<void>): Promise<number> {
  const server = createServer((_incoming, outgoing) => void answer(outgoing));
  onTestFinished(() => server.close().closeAllConnections());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

const bodyOf = (init: string | Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> =>
  new Response(init).body as ReadableStream<Uint8Array>;

async function received(port: number): Promise<Buffer> {
  const [incoming] = (await once(get({ port, agent: false }), "response")) as [AsyncIterable<Buffer>];
  return Buffer.concat(await Array.fromAsync(incoming));
}

test("a body arrives whole, in one piece of the network when it is small", async () => {
  const large = new Uint8Array(20_000_000).fill(7);
  expect((await received(await serving((outgoing) => sendBody(bodyOf(large), outgoing)))).equals(large)).toBe(true);
  const port = await serving((outgoing) => sendBody(bodyOf("hello"), outgoing));
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  const [first] = (await once(socket, "data")) as [Buffer];
  expect(first.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
  socket.destroy();
});

test("a body that takes its time is passed on as it comes", async () => {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  const port = await serving((outgoing) => sendBody(body, outgoing));
  const [incoming] = (await once(
    get({ port, agent: false }, () => undefined).on("socket", () =>
      setTimeout(() => controller?.enqueue(new TextEncoder().encode("first")), 20),
    ),
    "response",
  )) as [NodeJS.ReadableStream];
  expect(String((await once(incoming, "data"))[0])).toBe("first");
  controller?.close();
  await once(incoming, "end");
});

test("a client that leaves ends the body, also one that it does not read", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
    cancel: () => cancelled.resolve(),
  });
  const ended = Promise.withResolvers<void>();
  const port = await serving((outgoing) => sendBody(body, outgoing).then(ended.resolve, ended.reject));
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
  socket.pause();
  setTimeout(() => socket.destroy(), 50);
  await cancelled.promise;
  await ended.promise;
});

test("a body that fails fails", async () => {
  const failure = Promise.withResolvers<unknown>();
  const body = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("broken")) });
  const port = await serving(async (outgoing) => {
    await sendBody(body, outgoing).catch(failure.resolve);
    outgoing.destroy();
  });
  get({ port, agent: false }).on("error", () => undefined);
  expect(await failure.promise).toMatchObject({ message: "broken" });
});
