// What we use of the WebAssembly JavaScript API and of JSPI. @types/node declares none of it, and TypeScript's `dom`
// library, which does, would bring a browser's globals along.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
    static exports(module: Module): { readonly name: string; readonly kind: string }[];
    static imports(module: Module): { readonly module: string; readonly name: string; readonly kind: string }[];
  }
  class Memory {
    constructor(limits: { readonly initial: number; readonly maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Table {
    readonly length: number;
    get(index: number): unknown;
  }
  class Global {
    constructor(
      type: { readonly value: "i32" | "i64" | "f32" | "f64"; readonly mutable: boolean },
      value: number | bigint,
    );
    value: unknown;
  }
  class Instance {
    constructor(module: Module, imports?: object);
    readonly exports: Readonly<Record<string, unknown>>;
  }
  class RuntimeError extends Error {}
  /** Of exceptions that JavaScript throws. */
  const JSTag: object;
  /** JSPI: an import that suspends the guest until the promise is settled. */
  const Suspending: new (run: (...values: never[]) => Promise<unknown>) => object;
  /** JSPI: an export as a function that returns a promise; only what is entered so can be suspended. */
  function promising<Values extends readonly unknown[]>(
    run: (...values: Values) => unknown,
  ): (...values: Values) => Promise<unknown>;
  function compile(bytes: Uint8Array): Promise<Module>;
  function validate(bytes: Uint8Array): boolean;
}
