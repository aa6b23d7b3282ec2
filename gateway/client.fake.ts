import { type Agent, type IncomingHttpHeaders, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { WireFault, type WireStream } from "@shallop/sdk/wire";
import { onTestFinished } from "vitest";
import { FakeCluster, type WireHandler } from "./gateway.fake.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CallOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly agent?: Agent;
}

export function call(gateway: { readonly port: number }, service: string, options: CallOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        port: gateway.port,
        method: options.method ?? "GET",
        path: options.path ?? "/",
        headers: { host: `${service}.default.localhost:8080`, ...options.headers },
        agent: options.agent ?? false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() }),
        );
      },
    );
    request.on("error", reject);
    request.end(options.body);
  });
}

export async function start(...args: Parameters<typeof FakeCluster.start>): Promise<FakeCluster> {
  const cluster = await FakeCluster.start(...args);
  onTestFinished(() => cluster[Symbol.asyncDispose]());
  return cluster;
}

/** Waits until `holds`; the test fails by its own time limit when it never does. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

export const failing =
  (code: ConstructorParameters<typeof WireFault>[0]): WireHandler =>
  () => {
    throw new WireFault(code, "secret details of the guest");
  };

/** Never answers; keeps the streams. */
export function silent(): {
  readonly handler: WireHandler;
  readonly streams: WireStream[];
  readonly cancelled: string[];
} {
  const streams: WireStream[] = [];
  const cancelled: string[] = [];
  const handler: WireHandler = (_head, stream) => {
    streams.push(stream);
    return {
      data: (chunk) => stream.consumed(chunk.length),
      end: () => undefined,
      failed: (fault) => cancelled.push(fault.code),
    };
  };
  return { handler, streams, cancelled };
}
