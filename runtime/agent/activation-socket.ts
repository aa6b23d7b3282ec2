import { chmod, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import type { Log } from "@shallop/sdk/internal";
import {
  type ActivateRequest,
  type Activation,
  type RequestHead,
  type StreamHandlers,
  WireConnection,
  type WireStream,
} from "@shallop/sdk/wire";
import { activationBytesMax, parseActivation } from "./activation-request.ts";
import { AgentFault, faultAnswer } from "./fault-status.ts";

export interface ActivationSocketSettings {
  readonly log: Log;
  activate(request: ActivateRequest): Promise<Activation>;
}

/**
 * Where gateways of this machine ask for activations: what they send over HTTP elsewhere, in frames. A request waits for the answer, and
 * where both ends have done nothing for a while HTTP costs it a millisecond more.
 */
export class ActivationSocket {
  readonly #settings: ActivationSocketSettings;
  readonly #connections = new Set<WireConnection>();
  #server: Server | undefined;

  constructor(settings: ActivationSocketSettings) {
    this.#settings = settings;
  }

  /** Serves on a unix socket, which only this process's owner may use. */
  async listen(path: string): Promise<void> {
    // Left by an agent that was killed.
    await rm(path, { force: true });
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => {
        server
          .off("error", reject)
          .on("error", (error) => this.#settings.log.error("the activation socket failed", error));
        resolve();
      });
    });
    await chmod(path, 0o600);
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => {
      if (this.#server === undefined) resolve();
      else this.#server.close(() => resolve());
    });
  }

  #accept(socket: Socket): void {
    const connection = new WireConnection(socket, {
      request: (head, stream) => this.#request(head, stream),
      closed: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  #request({ method, target }: RequestHead, stream: WireStream): StreamHandlers {
    const chunks: Buffer[] = [];
    let bytes = 0;
    return {
      data: (chunk) => {
        stream.consumed(chunk.length);
        bytes += chunk.length;
        // What is too long is read, and not kept.
        if (bytes <= activationBytesMax) chunks.push(chunk);
      },
      end: () => {
        const answer = async (): Promise<Activation> => {
          if (method !== "POST" || target !== "/v1/activate")
            throw new AgentFault("NOT_FOUND", "this socket is for activations");
          if (bytes > activationBytesMax)
            throw new AgentFault("BODY_TOO_LARGE", `a body here is at most ${String(activationBytesMax)} bytes`);
          return this.#settings.activate(parseActivation(Buffer.concat(chunks).toString("utf8")));
        };
        answer().then(
          (activation) => send(stream, 200, activation),
          (error: unknown) => this.#refuse(stream, error),
        );
      },
      failed: () => undefined,
    };
  }

  #refuse(stream: WireStream, error: unknown): void {
    const { status, body } = faultAnswer(error);
    if (status === 500) this.#settings.log.error("an activation failed", error);
    send(stream, status, body);
  }
}

function send(stream: WireStream, status: number, body: unknown): void {
  stream.respond({ status, headers: ["content-type", "application/json"] });
  stream.write(Buffer.from(JSON.stringify(body)));
  stream.end();
}
