import type { WebSocketAction, WebSocketData } from "@shallop/sdk/wire";

const lineEnd = 0x0a;
// A line holds one message: as JSON, where each byte may take six characters, or in base64.
const lineFactor = 6;
const lineSpareBytes = 4 * 1024;

/** The longest line that has a message in it which may be sent. */
export const lineBytesMaxFor = (messageBytesMax: number): number => messageBytesMax * lineFactor + lineSpareBytes;

/** What is to be sent, and whether it is bytes. */
export const sentData = (given: WebSocketData): { readonly data: Buffer; readonly isBinary: boolean } =>
  typeof given === "string"
    ? { data: Buffer.from(given), isBinary: false }
    : { data: Buffer.from(given.base64, "base64"), isBinary: true };

/** What a function says in an answer, line by line as it comes. It is not believed: what is no action is an error. */
export class ActionReader {
  readonly #lineBytesMax: number;
  readonly #act: (action: WebSocketAction) => void;
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** @param lineBytesMax the longest line */
  constructor(lineBytesMax: number, act: (action: WebSocketAction) => void) {
    this.#lineBytesMax = lineBytesMax;
    this.#act = act;
  }

  /** @throws Error with a sentence for the pod's owner */
  take(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(lineEnd); at !== -1; at = chunk.indexOf(lineEnd, from)) {
      this.#keep(chunk.subarray(from, at));
      this.#line();
      from = at + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  /** The last line may have no end of its own. @throws as `take` */
  end(): void {
    this.#line();
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes > this.#lineBytesMax)
      throw new Error(`a line of the answer is longer than ${this.#lineBytesMax} bytes`);
  }

  #line(): void {
    const text = Buffer.concat(this.#pieces).toString();
    this.#pieces = [];
    this.#bytes = 0;
    if (text.trim() !== "") this.#act(parseAction(text));
  }
}

// A topic is a key of a map that is kept while anybody has subscribed to it.
export const topicLengthMax = 200;

/** @throws Error */
function parseAction(text: string): WebSocketAction {
  const value = parsed(text);
  if (typeof value !== "object" || value === null) throw unknownAction(text);
  const action = value as Readonly<Record<string, unknown>>;
  if ("send" in action) {
    const isAddressed = isOptionalText(action["to"]) && isOptionalText(action["topic"]);
    if (isData(action["send"]) && isAddressed) return value as WebSocketAction;
  } else if ("subscribe" in action || "unsubscribe" in action) {
    const topic = action["subscribe"] ?? action["unsubscribe"];
    if (typeof topic === "string" && topic !== "" && topic.length <= topicLengthMax) return value as WebSocketAction;
  } else if ("close" in action) {
    if (isCloseCode(action["close"]) && isOptionalText(action["reason"])) return value as WebSocketAction;
  } else if ("accept" in action) {
    if (isAccept(action["accept"])) return value as WebSocketAction;
  } else if ("state" in action) return value as WebSocketAction;
  throw unknownAction(text);
}

const shownLength = 80;

const unknownAction = (text: string): Error =>
  new Error(`a line of the answer says nothing that a gateway can do: ${JSON.stringify(text.slice(0, shownLength))}`);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unknownAction(text);
  }
}

const isOptionalText = (value: unknown): boolean => value === undefined || typeof value === "string";

export const isData = (value: unknown): boolean =>
  typeof value === "string" ||
  (typeof value === "object" && value !== null && "base64" in value && typeof value.base64 === "string");

/** What an application may say (RFC 6455, 7.4): done, going away, and why it gives up; or a code of its own. */
function isCloseCode(value: unknown): boolean {
  if (typeof value !== "number" || !Number.isInteger(value)) return false;
  return value === 1000 || value === 1001 || value === 1003 || (value >= 1007 && value <= 1014) || isOwnCode(value);
}

const isOwnCode = (code: number): boolean => code >= 3000 && code <= 4999;

// RFC 9110, 5.6.2: a subprotocol is a token.
const tokenForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;

function isAccept(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { protocol, events } = value as Readonly<Record<string, unknown>>;
  const isProtocol = protocol === undefined || (typeof protocol === "string" && tokenForm.test(protocol));
  return isProtocol && (events === undefined || (Array.isArray(events) && events.length <= 2));
}
