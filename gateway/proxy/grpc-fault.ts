import type { FaultResponse } from "./fault-status.ts";

// "HTTP to gRPC Status Code Mapping" of the gRPC project, which clients go by where an answer has no status of its own; but a time limit that
// the gateway has kept is known to be one, and so is a size.
const codeByStatus: Readonly<Record<number, number>> = {
  400: 13, // INTERNAL
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 12, // UNIMPLEMENTED
  413: 8, // RESOURCE_EXHAUSTED
  429: 14, // UNAVAILABLE
  502: 14,
  503: 14,
  504: 4, // DEADLINE_EXCEEDED
  507: 8,
};
const unknown = 2;

// Names that say how the body is framed: there is none.
const ofBody: ReadonlySet<string> = new Set(["content-type", "content-length"]);

/** A fault as a client that speaks gRPC looks for it: an answer of headers only ("Trailers-Only" of gRPC over HTTP/2). */
export function grpcFault({ status, headers, body }: FaultResponse): Pick<FaultResponse, "status" | "headers"> {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const [name = "", value = ""] = headers.slice(index, index + 2);
    if (!ofBody.has(name)) kept.push(name, value);
  }
  return { status: 200, headers: ["content-type", "application/grpc", ...grpcStatus({ status, body }), ...kept] };
}

/** What has come of a call, flat: as trailers, the end of an answer that has begun. */
export const grpcStatus = ({ status, body }: Pick<FaultResponse, "status" | "body">): readonly string[] => [
  "grpc-status",
  String(codeByStatus[status] ?? unknown),
  "grpc-message",
  percentEncoded(body.trimEnd().split("\n")[0] ?? ""),
];

/** As `grpc-message` has to be: printable ASCII, all else as its bytes. */
const percentEncoded = (text: string): string =>
  text.replace(/[^ -$&-~]+/g, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
