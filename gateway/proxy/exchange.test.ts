import { setTimeout as sleep } from "node:timers/promises";
import { createHash } from "node:crypto";
import { Agent } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { call, silent, start, until } from "../client.fake.ts";
import { reflecting, saying } from "../gateway.fake.ts";

describe("a request to a wasm pod", () => {
  test("is answered, with a length and the request's id", async () => {
    const cluster = await start();
    await cluster.wireService("hello", saying("hello\n"));
    const answer = await call(cluster, "hello");
    expect(answer.status).toBe(200);
    expect(answer.body).toBe("hello\n");
    expect(answer.headers["content-length"]).toBe("6");
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.headers["server-timing"]).toBeUndefined();
  });

  test("carries its body both ways", async () => {
    const cluster = await start();
    await cluster.wireService("hello", reflecting);
    const answer = await call(cluster, "hello", { method: "POST", path: "/a?b=c", body: "some text" });
    expect(JSON.parse(answer.body)).toMatchObject({ method: "POST", target: "/a?b=c", body: "some text" });
  });

  test("shows the guest our forwarded headers and none of the client's", async () => {
    const cluster = await start();
    const pod = await cluster.wireService("hello", reflecting);
    await call(cluster, "hello", {
      headers: {
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-anything": "6.6.6.6",
        forwarded: "for=6.6.6.6",
        "x-request-id": "spoofed",
        "x-real-ip": "6.6.6.6",
        "x-shallop-secret": "1",
        "k-proxy-request": "activator",
        x_forwarded_for: "6.6.6.6",
        connection: "keep-alive, x-drop-me",
        "x-drop-me": "1",
        te: "trailers",
        "proxy-authorization": "x",
        "x-kept": "yes",
      },
    });
    const { headers, requestId } = pod.seen[0]!;
    const named = Object.fromEntries(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]]] : [])));
    expect(named).toEqual({
      "x-kept": "yes",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": "hello.default.localhost:8080",
      forwarded: 'for=127.0.0.1;host="hello.default.localhost:8080";proto=http',
      "x-request-id": requestId,
    });
  });

  test("streams: each piece reaches the client while the guest goes on", async () => {
    const cluster = await start();
    const guest = silent();
    await cluster.wireService("stream", guest.handler);
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: stream.default.localhost\r\n\r\n");
    await until(() => guest.streams.length === 1);
    guest.streams[0]!.respond({ status: 200, headers: ["content-type", "text/event-stream"] });
    expect(await client.until(/\r\n\r\n/)).toContain("transfer-encoding: chunked");
    for (const piece of ["first", "second"]) {
      guest.streams[0]!.write(Buffer.from(piece));
      await client.until(new RegExp(piece));
    }
    guest.streams[0]!.end();
    await client.until(/\r\n0\r\n\r\n$/);
  });

  test("20 MB in and 20 MB out at once", async () => {
    const cluster = await start();
    await cluster.wireService("echo", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      let owed = 0;
      return {
        data: (chunk) => {
          if (stream.write(chunk)) stream.consumed(chunk.length);
          else owed += chunk.length;
        },
        end: () => stream.end(),
        failed: () => undefined,
        writable: () => {
          stream.consumed(owed);
          owed = 0;
        },
      };
    });
    const body = Buffer.alloc(20 * 1024 * 1024, "0123456789abcdef");
    const answer = await call(cluster, "echo", { method: "POST", body });
    const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
    expect(hash(Buffer.from(answer.body))).toBe(hash(body));
  });

  test("a client that does not read holds the guest back", async () => {
    const cluster = await start();
    let written = 0;
    await cluster.wireService("flood", (_head, stream) => {
      stream.respond({ status: 200, headers: [] });
      const pump = (): void => {
        while (written < 64 * 1024 * 1024) {
          written += 65_536;
          if (!stream.write(Buffer.alloc(65_536))) return;
        }
      };
      pump();
      return { data: () => undefined, end: () => undefined, failed: () => undefined, writable: pump };
    });
    const client = cluster.connect();
    client.socket.pause();
    client.send("GET / HTTP/1.1\r\nhost: flood.default.localhost\r\n\r\n");
    // The kernel asks a closed window anew after 200 ms, and may then take more.
    for (let before = -1; before !== written; await sleep(500)) before = written;
    // What the kernel's socket buffers take is not ours: some megabytes on loopback.
    expect(written).toBeLessThan(16 * 1024 * 1024);
  });

  test("HEAD, 204 and 304 have no body", async () => {
    const cluster = await start();
    await cluster.wireService("hello", (head, stream) => ({
      ...saying("a body", Number(head.target.slice(1)))(head, stream),
    }));
    expect(await call(cluster, "hello", { path: "/204" })).toMatchObject({ status: 204, body: "" });
    expect(await call(cluster, "hello", { path: "/304" })).toMatchObject({ status: 304, body: "" });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    expect(await call(cluster, "hello", { path: "/200", method: "HEAD", agent })).toMatchObject({
      status: 200,
      body: "",
    });
    expect(await call(cluster, "hello", { path: "/200", agent })).toMatchObject({ status: 200, body: "a body" });
  });

  test("a client that leaves cancels the guest, and its slot is free again", async () => {
    const cluster = await start();
    const guest = silent();
    await cluster.wireService("slow", guest.handler, { containerConcurrency: 1 });
    const client = cluster.connect().send("GET / HTTP/1.1\r\nhost: slow.default.localhost\r\n\r\n");
    await until(() => guest.streams.length === 1);
    client.socket.destroy();
    await until(() => guest.cancelled.length === 1);
    expect(guest.cancelled).toEqual(["CANCELLED"]);
    const next = cluster.connect().send("GET / HTTP/1.1\r\nhost: slow.default.localhost\r\n\r\n");
    await until(() => guest.streams.length === 2);
    next.socket.destroy();
    await until(() => cluster.gateway.load.open === 0);
  });

  test("a client that leaves in the middle of its body cancels the guest", async () => {
    const cluster = await start();
    const guest = silent();
    await cluster.wireService("slow", guest.handler);
    const client = cluster
      .connect()
      .send("POST / HTTP/1.1\r\nhost: slow.default.localhost\r\ncontent-length: 100\r\n\r\nhalf");
    await until(() => guest.streams.length === 1);
    client.socket.destroy();
    await until(() => guest.cancelled.length === 1);
    await until(() => cluster.gateway.load.open === 0);
  });
});
