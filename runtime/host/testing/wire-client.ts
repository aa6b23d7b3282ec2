import { createConnection } from "node:net";
import {
  type RequestHead,
  type ResponseHead,
  WireConnection,
  type WireFault,
  type WireStream,
} from "@shallop/sdk/wire";

export interface Answer {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

export interface Sent {
  readonly stream: WireStream;
  /** Rejects with the WireFault. */
  readonly answer: Promise<Answer>;
}

/** The gateway's end of the wire, for tests. */
export class WireClient implements Disposable {
  readonly connection: WireConnection;

  private constructor(connection: WireConnection) {
    this.connection = connection;
  }

  static connect(socketPath: string): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(socketPath);
      socket.once("error", reject);
      socket.once("connect", () => resolve(new WireClient(new WireConnection(socket, { closed: () => undefined }))));
    });
  }

  send(target: string, head: Partial<RequestHead> = {}, onData?: (chunk: Buffer, stream: WireStream) => void): Sent {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    // A test that awaits the answer later must not fail before.
    promise.catch(() => undefined);
    let responseHead: ResponseHead = { status: 0, headers: [] };
    const chunks: Buffer[] = [];
    const stream: WireStream = this.connection.request(
      {
        method: "GET",
        target,
        scheme: "http",
        authority: "hello.test",
        headers: [],
        requestId: "r-1",
        timeoutMs: 60_000,
        ...head,
      },
      {
        head: (value) => {
          responseHead = value;
        },
        data: (chunk) => {
          if (onData !== undefined) return onData(chunk, stream);
          chunks.push(chunk);
          stream.consumed(chunk.length);
        },
        end: () => resolve({ head: responseHead, body: Buffer.concat(chunks) }),
        failed: (fault: WireFault) => reject(fault),
      },
    );
    return { stream, answer: promise };
  }

  get(target: string, head: Partial<RequestHead> = {}): Promise<Answer> {
    const { stream, answer } = this.send(target, head);
    stream.end();
    return answer;
  }

  [Symbol.dispose](): void {
    this.connection.destroy();
  }
}
