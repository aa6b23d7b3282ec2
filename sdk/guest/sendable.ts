import type { WebSocketAction, WebSocketData } from "../wire/web-socket-call.ts";

/** What a function may send: text, or bytes. */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/** The same as it travels. */
export function dataFor(data: Sendable): WebSocketData {
  if (typeof data === "string") return data;
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return { base64: btoa(text) };
}

export const lineOf = (action: WebSocketAction): string => `${JSON.stringify(action)}\n`;
