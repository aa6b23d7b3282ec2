/**
 * What a function is: a module whose default export answers requests. A Hono application is one unchanged.
 *
 *   export default { fetch: (request: Request) => new Response("hello") };
 */
export interface FunctionModule {
  fetch(request: Request): Response | Promise<Response>;
}

/** The function of a module, or an error that says what the module should have exported. */
export function functionOf(exported: unknown): FunctionModule {
  const candidate = typeof exported === "object" || typeof exported === "function" ? exported : undefined;
  const fetch: unknown = candidate === null || candidate === undefined ? undefined : Reflect.get(candidate, "fetch");
  if (typeof fetch !== "function") {
    throw new TypeError(
      "the module must have a default export with a fetch function: export default { fetch(request) { … } }",
    );
  }
  return candidate as FunctionModule;
}
