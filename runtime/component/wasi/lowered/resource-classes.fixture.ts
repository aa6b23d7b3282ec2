import type { WasiFamily } from "../../requirements.ts";
import type { ResourceClasses } from "./lowered-source.fixture.ts";

/** The classes of the host's resources of WASI 0.2, by the name of the resource. */
const classes02: ResourceClasses = {
  error: ["IoError", "../io-error.ts"],
  pollable: ["Pollable", "../io-poll.ts"],
  "input-stream": ["InputStream", "../input-stream.ts"],
  "output-stream": ["OutputStream", "../output-stream.ts"],
  descriptor: ["Descriptor", "../filesystem/descriptor.ts"],
  "directory-entry-stream": ["DirectoryEntryStream", "../filesystem/directory-entry-stream.ts"],
  fields: ["Fields", "../http-fields.ts"],
  "future-incoming-response": ["FutureIncomingResponse", "../http-future-response.ts"],
  "future-trailers": ["FutureTrailers", "../http-incoming.ts"],
  "incoming-body": ["IncomingBody", "../http-incoming.ts"],
  "incoming-request": ["IncomingRequest", "../http-incoming.ts"],
  "incoming-response": ["IncomingResponse", "../http-incoming.ts"],
  "outgoing-body": ["OutgoingBody", "../http-outgoing.ts"],
  "outgoing-response": ["OutgoingResponse", "../http-outgoing.ts"],
  "response-outparam": ["ResponseOutparam", "../http-outgoing.ts"],
  "outgoing-request": ["OutgoingRequest", "../http-outgoing-request.ts"],
  "request-options": ["RequestOptions", "../http-outgoing-request.ts"],
  "resolve-address-stream": ["ResolveAddressStream", "../sockets/ip-name-lookup.ts"],
  "tcp-socket": ["TcpSocket", "../sockets/tcp-socket.ts"],
  "udp-socket": ["UdpSocket", "../sockets/udp-socket.ts"],
  "incoming-datagram-stream": ["IncomingDatagramStream", "../sockets/udp-streams.ts"],
  "outgoing-datagram-stream": ["OutgoingDatagramStream", "../sockets/udp-streams.ts"],
};

const classes03: ResourceClasses = {
  descriptor: ["Descriptor", "../p3/descriptor.ts"],
  fields: ["Fields", "../p3/http-fields.ts"],
  "request-options": ["RequestOptions", "../p3/http-request-options.ts"],
  request: ["HttpRequest", "../p3/http-request.ts"],
  response: ["HttpResponse", "../p3/http-response.ts"],
  "tcp-socket": ["TcpSocket", "../p3/tcp-socket.ts"],
  "udp-socket": ["UdpSocket", "../p3/udp-socket.ts"],
};

export const resourceClasses: Readonly<Record<WasiFamily, ResourceClasses>> = { "0.2": classes02, "0.3": classes03 };
