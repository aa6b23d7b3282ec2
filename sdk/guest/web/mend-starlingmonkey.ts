import { exit } from "wasi:cli/exit@0.2.10";
import { formDataOf } from "./multipart.ts";

// What the engine StarlingMonkey lacks or does wrongly, put right where it is looked for.

/** A response after `clone` → one that has its half of the body: the engine's own body is in use from then on. */
const standIns = new WeakMap<Response, Response>();

/** The response that the engine can send. */
export const answerable = (response: Response): Response => standIns.get(response) ?? response;

/** https://fetch.spec.whatwg.org/#dom-response-clone; the engine has it for requests only. */
function clone(this: Response): Response {
  const { body, bodyUsed, status, statusText, headers } = this;
  if (bodyUsed || body?.locked === true) throw new TypeError("the body was read already");
  const halves = body === null ? [null, null] : body.tee();
  const copy = (half: ReadableStream | null): Response => new Response(half, { status, statusText, headers });
  const standIn = copy(halves[0]);
  standIns.set(this, standIn);
  const own: PropertyDescriptorMap = {
    body: { get: () => standIn.body },
    bodyUsed: { get: () => standIn.bodyUsed },
    clone: { value: () => clone.call(standIn) },
  };
  for (const name of ["arrayBuffer", "blob", "bytes", "formData", "json", "text"] as const)
    own[name] = { value: () => standIn[name]() };
  Object.defineProperties(this, own);
  return copy(halves[1]);
}

/** The engine takes the bytes of a file for text. */
async function formData(this: Request | Response): Promise<FormData> {
  const bytes = new Uint8Array(await this.arrayBuffer());
  const form = new FormData();
  for (const [name, value] of formDataOf(bytes, this.headers.get("content-type") ?? "")) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, new File([value.takeBytes().slice()], value.name, { type: value.type }));
  }
  return form;
}

/**
 * The same stream; when it breaks, the instance ends, so that nobody takes what has been sent for whole. The engine would end
 * the answer in order.
 */
function guarded(stream: ReadableStream): ReadableStream {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        console.error("the body of the answer broke:", String(error));
        exit({ tag: "err" });
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

globalThis.Response = new Proxy(Response, {
  construct(target, [body, ...rest]: [unknown, ...unknown[]], newTarget) {
    const isFree = body instanceof ReadableStream && !body.locked;
    return Reflect.construct(target, [isFree ? guarded(body) : body, ...rest], newTarget) as Response;
  },
});
Response.prototype.constructor = Response;
Reflect.set(Response.prototype, "clone", clone);
for (const { prototype } of [Request, Response]) Reflect.set(prototype, "formData", formData);
