// The guest of the process tests: one component, a behaviour for each path. Built by components.ts with QuickJS, which
// has no TextEncoder and no fetch: everything here is WASI as it is.
import { getEnvironment } from "wasi:cli/environment@0.2.3";
import { getStdout } from "wasi:cli/stdout@0.2.3";
import { subscribeDuration } from "wasi:clocks/monotonic-clock@0.2.3";
import { handle as send } from "wasi:http/outgoing-handler@0.2.3";
import {
  Fields,
  IncomingBody,
  OutgoingBody,
  OutgoingRequest,
  OutgoingResponse,
  ResponseOutparam,
} from "wasi:http/types@0.2.3";

const bytes = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const text = (list) => String.fromCharCode(...list);

function begin(out, headers = [], status = 200) {
  const fields = new Fields();
  for (const [name, value] of headers) fields.append(name, bytes(value));
  const response = new OutgoingResponse(fields);
  response.setStatusCode(status);
  const body = response.body();
  ResponseOutparam.set(out, { tag: "ok", val: response });
  return { body, stream: body.write() };
}

function finish({ body, stream }) {
  stream[Symbol.dispose]();
  OutgoingBody.finish(body, undefined);
}

function answer(out, content, headers, status) {
  const answered = begin(out, headers, status);
  if (content !== "") answered.stream.blockingWriteAndFlush(bytes(content));
  finish(answered);
}

function echo(request, out) {
  const answered = begin(out);
  const body = request.consume();
  const input = body.stream();
  let total = 0;
  for (;;) {
    let chunk;
    try {
      chunk = input.blockingRead(65536);
    } catch {
      break;
    }
    total += chunk.length;
    answered.stream.blockingWriteAndFlush(chunk);
  }
  input[Symbol.dispose]();
  IncomingBody.finish(body)[Symbol.dispose]();
  finish(answered);
  return total;
}

function fetchUrl(out, authority) {
  const request = new OutgoingRequest(new Fields());
  request.setScheme({ tag: "HTTP" });
  request.setAuthority(authority);
  request.setPathWithQuery("/");
  const future = send(request, null);
  future.subscribe().block();
  const result = future.get();
  const inner = result.tag === "ok" ? result.val : result;
  if (inner.tag === "err") return answer(out, `error ${inner.val.tag}`);
  const response = inner.val;
  const stream = response.consume().stream();
  let content = "";
  for (;;) {
    try {
      content += text(stream.blockingRead(4096));
    } catch {
      break;
    }
  }
  answer(out, `${response.status()} ${content}`);
}

const behaviours = {
  "/hello": (_request, out) => answer(out, "hello\n", [["content-type", "text/plain"]]),
  "/echo": echo,
  "/ticks": (_request, out) => {
    const answered = begin(out);
    for (let tick = 0; tick < 3; tick++) {
      answered.stream.blockingWriteAndFlush(bytes(`tick ${tick}\n`));
      subscribeDuration(30_000_000).block();
    }
    finish(answered);
  },
  "/env": (_request, out) => answer(out, JSON.stringify(getEnvironment())),
  "/head": (request, out) => {
    const entries = request
      .headers()
      .entries()
      .map(([name, value]) => `${name}: ${text(value)}`);
    const head = [`${request.method().tag} ${request.pathWithQuery()} ${request.authority()}`, ...entries];
    answer(out, head.join("\n"));
  },
  "/status": (_request, out) => answer(out, "", [], 204),
  "/forbidden": (_request, out) => {
    let refusal = "none";
    try {
      new Fields().append("transfer-encoding", bytes("chunked"));
    } catch (error) {
      refusal = error.tag ?? error.payload?.tag ?? JSON.stringify(error);
    }
    answer(out, refusal);
  },
  "/length": (_request, out) => answer(out, "four", [["content-length", "10"]]),
  "/say": (_request, out) => {
    getStdout().blockingWriteAndFlush(bytes("one line\nno newline"));
    answer(out, "said");
  },
  "/flood": (_request, out) => {
    const line = bytes(`${"x".repeat(999)}\n`);
    const stdout = getStdout();
    for (let count = 0; count < 20_000; count++) stdout.blockingWriteAndFlush(line);
    answer(out, "flooded");
  },
  "/throw": () => {
    throw new Error("thrown on purpose");
  },
  "/silent": () => undefined,
  "/spin": () => {
    for (;;);
  },
  "/sleep": (_request, out) => {
    subscribeDuration(3_600_000_000_000).block();
    answer(out, "slept");
  },
  "/eat": (_request, out) => {
    const eaten = [];
    // More than any test's limit.
    for (let count = 0; count < 10_000; count++) eaten.push(new Uint8Array(1024 * 1024).fill(count));
    answer(out, String(eaten.length));
  },
};

export const incomingHandler = {
  handle(request, out) {
    const [path, query] = request.pathWithQuery().split("?");
    if (path === "/fetch") return fetchUrl(out, query);
    const behaviour = behaviours[path];
    if (behaviour === undefined) answer(out, "no such behaviour", [], 404);
    else behaviour(request, out);
  },
};
