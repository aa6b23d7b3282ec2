import { camelCase, pascalCase } from "../../abi/codec.ts";
import type { FunctionType } from "../../link/value-type.ts";
import type { WasiInterfaces } from "../interfaces.ts";
import { mayWait } from "../waiting-imports.ts";
import { Layouts } from "./layout.fixture.ts";
import { flatType, typeOfResource, ValueSource } from "./value-source.fixture.ts";

/** The module that holds each helper that the functions call. */
const helperModules: Readonly<Record<string, string>> = {
  CaseNames: "../../abi/variant-codecs.ts",
  noCase: "../../abi/variant-codecs.ts",
  readString: "../../abi/string-codec.ts",
  storeString: "../../abi/string-codec.ts",
  allocateList: "../../abi/list-codec.ts",
  checkList: "../../abi/list-codec.ts",
  readOctets: "../../abi/list-codec.ts",
  storeListAt: "../../abi/list-codec.ts",
  storeOctets: "../../abi/list-codec.ts",
};

// More than these go through memory (CanonicalABI.md, "MAX_FLAT_PARAMS", "MAX_FLAT_RESULTS"). No function of WASI has so many.
const flatParamsMax = 16;
/** "MAX_FLAT_ASYNC_PARAMS": of a call that does not wait for its end. */
const asyncFlatParamsMax = 4;

// As many as `ResourceNumbers` has.
const resourcesMax = 4;

const head = `// Made by lowered.test.ts from WASI's WIT: \`npx vitest run --project unit runtime/component/wasi/lowered -u\` writes it anew.
`;

/** Where the class of a resource is: its methods are called by their names. */
export type ResourceClasses = Readonly<Record<string, readonly [name: string, module: string]>>;

/** What a component exports: the host has no function of it. */
const entries: ReadonlySet<string> = new Set([
  "wasi:cli/run",
  "wasi:http/incoming-handler",
  "wasi:cli/run@0.3",
  "wasi:http/handler@0.3",
]);

export interface PackageOfWasi {
  readonly interfaces: WasiInterfaces;
  /** `io` */
  readonly packageName: string;
  readonly exportName: string;
  readonly classes: ResourceClasses;
}

/** The functions of the interfaces of one package, as TypeScript; those that are `async` are a table of their own. */
export function loweredSource({ interfaces, packageName, exportName, classes }: PackageOfWasi): string {
  const layouts = new Layouts(interfaces);
  const values = new ValueSource(layouts);
  const classesUsed = new Map<string, string>();
  const membersOf = (isAsync: boolean): string =>
    Object.entries(interfaces.interfaces)
      .filter(([name]) => name.startsWith(`wasi:${packageName}/`) && !entries.has(name))
      .map(([name, { functions }]) => {
        const texts = Object.entries(functions)
          .filter(([, type]) => type.async === isAsync)
          .map(([member, type]) => {
            const named = { interface: name, member, type };
            const writer = new FunctionSource(named, { layouts, values, classes, classesUsed });
            const text = isAsync ? writer.asyncText() : writer.text();
            return `    ${JSON.stringify(member)}: ${text.replaceAll("\n", "\n  ")},\n`;
          });
        return texts.length === 0 ? "" : `  ${JSON.stringify(name)}: {\n${texts.join("")}  },\n`;
      })
      .join("");
  const [members, asyncMembers] = [membersOf(false), membersOf(true)];
  const types = [
    ...(asyncMembers === "" ? [] : ["AsyncLoweredInterfaces"]),
    ...(values.text().includes("CallingGuest") ? ["CallingGuest"] : []),
    "LoweredInterfaces",
  ];
  const imports = [
    `import type { ${types.join(", ")} } from "../../instance/calling-guest.ts";`,
    ...(values.text().includes("TransferredType")
      ? ['import type { TransferredType } from "../../abi/async-codecs.ts";']
      : []),
    ...importsOf("import", new Map([...values.helpers].map((name) => [name, helperModules[name] ?? ""]))),
    ...importsOf("import type", classesUsed),
  ];
  const functions = `export const ${exportName}: LoweredInterfaces = {\n${members}};\n`;
  const asyncName = exportName.replace("Functions", "AsyncFunctions");
  const asyncFunctions =
    asyncMembers === "" ? "" : `\nexport const ${asyncName}: AsyncLoweredInterfaces = {\n${asyncMembers}};\n`;
  return [head, imports.join("\n"), "\n\n", values.text(), "\n", functions, asyncFunctions].join("");
}

function importsOf(word: string, moduleByName: ReadonlyMap<string, string>): readonly string[] {
  const byModule = Map.groupBy([...moduleByName.keys()].toSorted(), (name) => moduleByName.get(name) ?? "");
  return [...byModule].map(([module, names]) => `${word} { ${names.join(", ")} } from "${module}";`);
}

interface Written {
  readonly layouts: Layouts;
  readonly values: ValueSource;
  readonly classes: ResourceClasses;
  readonly classesUsed: Map<string, string>;
}

interface FlatParam {
  readonly text: string;
  readonly type: "i32" | "i64";
}

interface Named {
  readonly interface: string;
  readonly member: string;
  readonly type: FunctionType;
}

/** One core function: arguments out of core values, the call, its result into core values and memory. */
class FunctionSource {
  readonly #named: Named;
  readonly #written: Written;
  readonly #params: readonly FlatParam[];
  /** The same without the place of the result. */
  readonly #flat: readonly FlatParam[];
  readonly #resultInMemory: boolean;

  constructor(named: Named, written: Written) {
    this.#named = named;
    this.#written = written;
    const { params, result } = named.type;
    const flat = params.flatMap(({ type }) => written.layouts.of(type).flat);
    if (flat.length > flatParamsMax) throw new TypeError(`${named.member} has too many parameters`);
    this.#resultInMemory = result !== undefined && written.layouts.of(result).flat.length > 1;
    this.#flat = flat.map((type, at) => {
      if (type !== "i32" && type !== "i64") throw new TypeError(`${named.member} has a parameter that is ${type}`);
      return { text: `p${at}`, type };
    });
    this.#params = this.#resultInMemory ? [...this.#flat, { text: `p${flat.length}`, type: "i32" }] : this.#flat;
  }

  text(): string {
    const { type } = this.#named;
    const [resources, transfers] = this.#handleTypes();
    const factory = withoutEmpty(["guest", "index", resources, transfers]);
    const params = this.#params.map(({ text, type }) => `${text}: ${flatType(type)}`).join(", ");
    const family = this.#named.interface.replace(/@0\.2.*$/, "");
    const isWaiting = mayWait(family, this.#named.member);
    const finish = isWaiting ? `    const finish = ${this.#finish()};\n` : "";
    const body = [
      "    try {",
      "      guest.enter(index);",
      `      ${type.result === undefined && !isWaiting ? "" : "const result = "}${this.#call()};`,
      "      guest.leave();",
      ...(isWaiting ? this.#waits() : this.#returns()).map((line) => `      ${line}`),
      "    } catch (error) {",
      "      throw guest.failed(error);",
      "    }",
    ];
    const factoryBody = isWaiting
      ? `${factory} => {\n${finish}    return (${params}) => {\n${body.map((line) => `  ${line}`).join("\n")}\n    };\n  }`
      : `${factory} => (${params}) => {\n${body.join("\n")}\n  }`;
    return factoryBody;
  }

  /** The same of a function that is `async`, in parts (`AsyncParts`). */
  asyncText(): string {
    const [resources, transfers] = this.#handleTypes();
    const params = this.#flat.map(({ text, type }) => `${text}: ${flatType(type)}`).join(", ");
    const parts = [`call: (${params}) => ${this.#call()},`, ...this.#loads(), ...this.#asyncResult()];
    const index = this.#isMethod ? "" : "index";
    return `${withoutEmpty(["guest", index, resources, transfers])} => ({\n${parts.map((line) => `    ${line}\n`).join("")}  })`;
  }

  /** The call, with arguments that are in memory. */
  #loads(): readonly string[] {
    const { layouts, values } = this.#written;
    if (this.#flat.length <= asyncFlatParamsMax) return [];
    const { fields, size, alignment } = layouts.inARow(this.#named.type.params.map(({ type }) => type));
    const args = fields.map(({ type, offset }) => values.load(type, offset === 0 ? "at" : `at + ${offset}`));
    return [
      "load: (pointer) => {",
      `  const at = guest.at(pointer, ${size}, ${alignment});`,
      `  return ${this.#callWith(args)};`,
      "},",
    ];
  }

  #asyncResult(): readonly string[] {
    const { layouts, values } = this.#written;
    const { result } = this.#named.type;
    if (result === undefined) return [];
    const { size, alignment, flat } = layouts.of(result);
    const store = values.store(result, "result", `guest.at(pointer, ${size}, ${alignment})`);
    return [
      "finish: (result: any, pointer) => {",
      `  ${store}`,
      "},",
      ...(flat.length === 1 ? [`lower: (result: any) => ${values.lower(result, "result")},`] : []),
    ];
  }

  get #isMethod(): boolean {
    return this.#named.member.startsWith("[method]");
  }

  /** What of the types of handles has to be taken from the factory's arguments. */
  #handleTypes(): readonly [resources: string, transfers: string] {
    const { layouts } = this.#written;
    const resources = layouts.functionResources(this.#named.type).map(typeOfResource);
    if (resources.length > resourcesMax) throw new TypeError(`${this.#named.member} has too many resources`);
    // Each by the first place in which it is met.
    const all = layouts.functionTransfers(this.#named.type);
    const transfers = all.map((name, at) => (all.indexOf(name) === at ? name : ""));
    return [
      resources.length === 0 ? "" : `[${resources.join(", ")}]`,
      transfers.length === 0 ? "" : `[${transfers.join(", ")}]`,
    ];
  }

  /** What the result becomes. */
  #returns(): readonly string[] {
    const { layouts, values } = this.#written;
    const { result } = this.#named.type;
    if (result === undefined) return [];
    if (!this.#resultInMemory) return [`return ${values.lower(result, "result")};`];
    const { size, alignment } = layouts.of(result);
    const pointer = `guest.at(${this.#params.at(-1)?.text}, ${size}, ${alignment})`;
    return [values.store(result, "result", pointer)];
  }

  #waits(): readonly string[] {
    const pointer = this.#resultInMemory ? this.#params.at(-1)?.text : "0";
    return [
      `if (result instanceof Promise) return guest.wait<any>(result, finish, ${pointer});`,
      `finish(result, ${pointer});`,
    ];
  }

  /** Hands over the result of a call that may have been waited for. */
  #finish(): string {
    const { layouts, values } = this.#written;
    const { result } = this.#named.type;
    if (result === undefined) return "(_result: any, _pointer: number): void => undefined";
    if (!this.#resultInMemory) throw new TypeError("what is waited for has its result in memory");
    const { size, alignment } = layouts.of(result);
    const store = values.store(result, "result", `guest.at(pointer, ${size}, ${alignment})`);
    return `(result: any, pointer: number): void => {\n      ${store}\n    }`;
  }

  #call(): string {
    const { layouts, values } = this.#written;
    let at = 0;
    const args = this.#named.type.params.map(({ type }) => {
      const { length } = layouts.of(type).flat;
      at += length;
      return values.lift(type, this.#flat.slice(at - length, at));
    });
    return this.#callWith(args);
  }

  #callWith(given: readonly string[]): string {
    const { classes, classesUsed } = this.#written;
    // A call that takes its time has what it is lent as long.
    const args = this.#named.type.async ? given.map((arg) => arg.replace("guest.borrow<", "guest.lend<")) : given;
    const [, resource = "", method = ""] = /^\[method\]([^.]+)\.(.+)$/.exec(this.#named.member) ?? [];
    if (method === "") return `guest.callable(index)(${args.join(", ")})${this.#anyResult()}`;
    const [name, module] = classes[resource] ?? [pascalCase(resource), ""];
    classesUsed.set(name, module);
    const [self = "", ...others] = args;
    return `${self.replace("<any>", `<${name}>`)}.${camelCase(method)}(${others.join(", ")})`;
  }

  #anyResult(): string {
    return this.#named.type.result === undefined || this.#named.type.async ? "" : " as any";
  }
}

/** Parameters of a factory, without those at its end that are not used. */
function withoutEmpty(params: readonly string[]): string {
  const used = params.slice(0, params.findLastIndex((param) => param !== "") + 1);
  return `(${used.map((param, at) => (param === "" ? `_${at}` : param)).join(", ")})`;
}
