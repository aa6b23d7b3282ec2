import { unreachable } from "@shallop/sdk/internal";
import type { LinkPlan } from "../link/link-plan.ts";
import { isScalar, type TypeIndex, type ValueType } from "../link/value-type.ts";
import type { Codec } from "./codec.ts";
import { borrowCodec, ownCodec, type ResourceKind } from "./handle-codecs.ts";
import { fixedListCodec, listCodec } from "./list-codec.ts";
import { flagsCodec, recordCodec, tupleCodec } from "./record-codecs.ts";
import { scalarCodecs } from "./scalar-codecs.ts";
import { stringCodec } from "./string-codec.ts";
import { enumCodec, optionCodec, resultCodec, variantCodec } from "./variant-codecs.ts";

/** The codecs of a component's types, each made once, when it is first needed: a guest uses few of those it could. */
export class CodecTable {
  readonly #plan: Pick<LinkPlan, "types" | "resources">;
  readonly #codecs: (Codec | undefined)[] = [];

  constructor(plan: Pick<LinkPlan, "types" | "resources">) {
    this.#plan = plan;
  }

  /** Ends, because a type refers to types before it only. */
  codec(index: TypeIndex): Codec {
    return (this.#codecs[index] ??= this.#make(this.#type(index)));
  }

  #optional(index: TypeIndex | undefined): Codec | undefined {
    return index === undefined ? undefined : this.codec(index);
  }

  #make(type: ValueType): Codec {
    if (isScalar(type)) return scalarCodecs[type.kind];
    switch (type.kind) {
      case "string":
        return stringCodec;
      case "list": {
        const { kind } = this.#type(type.element);
        const element = this.codec(type.element);
        return type.length === undefined ? listCodec(element, kind) : fixedListCodec(element, kind, type.length);
      }
      case "record":
        return recordCodec(type.fields.map(({ name, type: index }) => ({ name, codec: this.codec(index) })));
      case "tuple":
        return tupleCodec(type.items.map((index) => this.codec(index)));
      case "variant":
        return variantCodec(type.cases.map(({ name, type: index }) => ({ name, codec: this.#optional(index) })));
      case "enum":
        return enumCodec(type.names);
      case "flags":
        return flagsCodec(type.names);
      case "option":
        return optionCodec(this.codec(type.some), this.#type(type.some).kind === "option");
      case "result":
        return resultCodec(this.#optional(type.ok), this.#optional(type.err));
      case "own":
        return ownCodec(this.#resource(type.resource));
      case "borrow":
        return borrowCodec(this.#resource(type.resource));
      case "stream":
      case "future":
      case "error-context":
        throw new TypeError(`values of the type ${type.kind} are not linked`);
      default:
        return unreachable(type);
    }
  }

  #type(index: TypeIndex): ValueType {
    const type = this.#plan.types[index];
    if (type === undefined) throw new RangeError(`the plan has no type ${index}`);
    return type;
  }

  #resource(resource: number): ResourceKind {
    const plan = this.#plan.resources[resource];
    if (plan === undefined) throw new RangeError(`the plan has no resource ${resource}`);
    return { resource, definedBy: plan.kind === "guest" ? plan.instance : undefined };
  }
}
