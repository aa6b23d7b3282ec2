import type { WebSocketAction } from "@shallop/sdk/wire";
import type { AnswerPrefix } from "../proxy/client-answer.ts";
import { ActionReader } from "./actions.ts";

export type Addressed = Extract<WebSocketAction, { readonly to: string } | { readonly topic: string }>;

/** What stands before the answer to an ordinary request: what its function says to WebSockets of its service. */
export class SaidLines implements AnswerPrefix {
  readonly #reader: ActionReader;
  #missingBytes: number;

  constructor(
    byteCount: number,
    { lineBytesMax, send }: { readonly lineBytesMax: number; readonly send: (action: Addressed) => void },
  ) {
    this.#missingBytes = byteCount;
    this.#reader = new ActionReader(lineBytesMax, (action) => {
      if (!isAddressed(action)) throw new Error("an answer can send to a topic or to one connection, and nothing else");
      send(action);
    });
  }

  get isWhole(): boolean {
    return this.#missingBytes === 0;
  }

  take(chunk: Buffer): Buffer {
    if (this.isWhole) return chunk;
    const lines = chunk.subarray(0, this.#missingBytes);
    this.#missingBytes -= lines.length;
    this.#reader.take(lines);
    if (this.isWhole) this.#reader.end();
    return chunk.subarray(lines.length);
  }
}

const isAddressed = (action: WebSocketAction): action is Addressed =>
  "send" in action &&
  (("to" in action && action.to !== undefined) || ("topic" in action && action.topic !== undefined));
