import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@shallop/sdk/internal";
import { describe, expect, test } from "vitest";
import { cancelOf } from "../../abi/stream.ts";
import { addressJudge } from "../../egress/address-judge.ts";
import { Egress } from "../../egress/egress.ts";
import { testContext } from "../context.fixture.ts";
import type { GuestContext } from "../guest-context.ts";
import type { Result } from "../result.ts";
import type { Sent, Trailers } from "./http-body.ts";
import { Fields } from "./http-fields.ts";
import { httpClient } from "./http.ts";
import { HttpRequest } from "./http-request.ts";
import type { HttpResponse } from "./http-response.ts";
import { bytes, codeOf, future, must, readText, WrittenStream } from "./reader.fixture.ts";

type Answered = Result<HttpResponse, { readonly tag: string }>;
const well = { tag: "ok", val: undefined } as const;
const noTrailers = future<Trailers>(well);

/** A guest that may reach loopback, and a server there. */
class Exchange implements AsyncDisposable {
  readonly context: GuestContext;
  readonly #server;

  private constructor(serve: RequestListener, bounds: Parameters<typeof testContext>[0]) {
    const egress = new Egress(addressJudge({ allowed: ["127.0.0.1"] }));
    this.context = testContext(bounds, { egress, clock: systemClock }).context;
    this.#server = createServer(serve).listen(0, "127.0.0.1");
  }

  static async with(serve: RequestListener, bounds: Parameters<typeof testContext>[0] = {}): Promise<Exchange> {
    const exchange = new Exchange(serve, bounds);
    await once(exchange.#server, "listening");
    return exchange;
  }

  request(
    body: { readonly contents?: WrittenStream; readonly trailers?: Trailers } = {},
    fields: readonly (readonly [string, string])[] = [],
  ): [HttpRequest, Promise<Sent>] {
    const headers = must(
      Fields.fromList(
        this.context,
        fields.map(([name, value]) => [name, bytes(value)]),
      ),
    );
    const trailers = body.trailers === undefined ? noTrailers : future(body.trailers);
    const made = HttpRequest.make(this.context, headers, { contents: body.contents, trailers }, undefined);
    must(made[0].setScheme({ tag: "HTTP" }));
    must(made[0].setAuthority(`127.0.0.1:${(this.#server.address() as AddressInfo).port}`));
    must(made[0].setPathWithQuery("/path?q"));
    return made;
  }

  send(request: HttpRequest): Answered | Promise<Answered> {
    return (httpClient(this) as { send: (one: HttpRequest) => Answered | Promise<Answered> }).send(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.context.end();
    await this.context.settings.egress.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  let content = "";
  for await (const chunk of message) content += String(chunk);
  return content;
}

describe("an outgoing request of 0.3", () => {
  test("has a body that streams, and trailers; so has its answer", async () => {
    let seen = "";
    await using exchange = await Exchange.with((incoming, outgoing) => {
      void bodyOf(incoming).then((body) => {
        const { method, url, headers, trailers } = incoming;
        seen = [method, url, body, headers["x-a"], trailers["x-end"]].join(" ");
        outgoing.writeHead(201, { "x-b": "2", trailer: "x-sum" });
        outgoing.write("answer ");
        outgoing.addTrailers({ "x-sum": "7" });
        outgoing.end("body");
      });
    });
    const trailers = must(Fields.fromList(exchange.context, [["X-End", bytes("yes")]]));
    const body = { contents: WrittenStream.of("one ", "two"), trailers: { tag: "ok", val: trailers } as const };
    const [request, sent] = exchange.request(body, [["X-A", "1"]]);
    must(request.setMethod({ tag: "post" }));
    const response = must(await exchange.send(request));
    expect([await sent, seen]).toEqual([well, "POST /path?q one two 1 yes"]);
    expect(response.getStatusCode()).toBe(201);
    expect(response.getHeaders().get("x-b")).toEqual([bytes("2")]);
    const [reader, ending] = response.consumeBody(future<Sent>(well));
    expect(await readText(reader)).toBe("answer body");
    const ended = must(await (ending as Promise<Trailers>));
    expect(ended?.copyAll()).toEqual([["x-sum", bytes("7")]]);
    await expect.poll(() => exchange.context.connections.held).toBe(0);
  });

  test("without contents is over at once, unless its trailers say that it shall not be", async () => {
    await using exchange = await Exchange.with((incoming, outgoing) => {
      if (incoming.headers["x-late"] === undefined) outgoing.end();
    });
    const [request, sent] = exchange.request();
    expect(must(await exchange.send(request)).getStatusCode()).toBe(200);
    expect(await sent).toEqual(well);
    const refusal = { tag: "err", val: { tag: "configuration-error" } } as unknown as Trailers;
    const [refused, refusedSent] = exchange.request({ trailers: refusal }, [["x-late", "1"]]);
    expect(codeOf(await exchange.send(refused))).toBe("configuration-error");
    expect(codeOf(await refusedSent)).toBe("configuration-error");
  });

  test("of another length than announced is not sent whole", async () => {
    await using exchange = await Exchange.with((incoming, outgoing) => {
      incoming.resume();
      incoming.once("end", () => outgoing.end());
    });
    for (const contents of [WrittenStream.of("short"), WrittenStream.of("much too long")]) {
      const [request, sent] = exchange.request({ contents }, [["content-length", "9"]]);
      expect(codeOf(await exchange.send(request))).toBe("HTTP-request-body-size");
      expect(codeOf(await sent)).toBe("HTTP-request-body-size");
    }
  });

  test("goes nowhere that the egress refuses, and is bounded in number", async () => {
    await using exchange = await Exchange.with(() => undefined, { connectionsMax: 1 });
    const [prohibited, sent] = exchange.request();
    must(prohibited.setAuthority("10.0.0.1"));
    expect(codeOf(await exchange.send(prohibited))).toBe("destination-IP-prohibited");
    await sent;
    const [bad, badSent] = exchange.request();
    must(bad.setMethod({ tag: "connect" }));
    expect([codeOf(await exchange.send(bad)), codeOf(await badSent)]).toEqual([
      "HTTP-request-method-invalid",
      "HTTP-request-method-invalid",
    ]);
    const [first] = exchange.request();
    const waiting = exchange.send(first) as Promise<Answered>;
    expect(codeOf(await exchange.send(exchange.request()[0]))).toBe("connection-limit-reached");
    cancelOf(waiting)?.();
    expect(exchange.context.connections.held).toBe(0);
  });

  test("whose answer breaks says so in the future beside its body", async () => {
    await using exchange = await Exchange.with((_incoming, outgoing) => {
      outgoing.writeHead(200, { "content-length": "10" });
      outgoing.write("half");
      setTimeout(() => outgoing.destroy(), 20);
    });
    const response = must(await exchange.send(exchange.request()[0]));
    const [reader, ending] = response.consumeBody(future<Sent>(well));
    expect(await readText(reader)).toBe("half");
    expect(codeOf(await (ending as Promise<Trailers>))).toBe("connection-terminated");
  });
});
