import type { Call, Reply } from "./call.ts";

/** Answers a request: with a reply, or with nothing when it has written the answer itself. */
type Handler = (call: Call) => Promise<Reply | void> | Reply;

/** `POST /containers/:id/start` and what is done then. `:name(.+)` takes slashes: names of images have them. */
export type Routes = Readonly<Record<string, Handler>>;

interface Route {
  readonly method: string;
  readonly pattern: URLPattern;
  readonly handler: Handler;
  /** The answer may be a raw stream of both directions on the connection. */
  readonly hijacks: boolean;
}

export interface Match {
  readonly handler: Handler;
  readonly params: Readonly<Record<string, string>>;
  readonly hijacks: boolean;
}

/** `/v1.24/…` is the same as `/…`: what differs between versions here is only what a client shows. */
const versionPrefix = /^\/v1\.\d{1,3}(?=\/)/;

/** The paths of the API. The first that fits counts. */
export class Router {
  readonly #routes: Route[] = [];

  add(routes: Routes, options: { readonly hijacks?: boolean } = {}): void {
    for (const [key, handler] of Object.entries(routes)) {
      const [method = "", pathname = ""] = key.split(" ");
      this.#routes.push({
        method,
        pattern: new URLPattern({ pathname }),
        handler,
        hijacks: options.hijacks ?? false,
      });
    }
  }

  /** @returns undefined when there is no such path; "method" when it is there for other methods. */
  match(method: string, path: string): Match | "method" | undefined {
    const pathname = path.replace(versionPrefix, "");
    let isKnown = false;
    for (const route of this.#routes) {
      const found = route.pattern.exec({ pathname });
      if (found === null) continue;
      isKnown = true;
      if (route.method !== method) continue;
      const params = Object.fromEntries(
        Object.entries(found.pathname.groups).map(([name, value]) => [name, decoded(value ?? "")]),
      );
      return { handler: route.handler, params, hijacks: route.hijacks };
    }
    return isKnown ? "method" : undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not encoded: a name with a percent sign is not to be found anyway.
    return text;
  }
}
