import { unreachable } from "@shallop/sdk/internal";
import type { LinkPlan } from "../link/link-plan.ts";
import { isScalar, type TypeIndex, type ValueType } from "../link/value-type.ts";
import { errorContextCodec, futureCodec, streamCodec, type TransferredType } from "./async-codecs.ts";
import type { Codec } from "./codec.ts";
import { itemType } from "./copy-buffer.ts";
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
  readonly #transferred: (TransferredType | undefined)[] = [];

  constructor(plan: Pick<LinkPlan, "types" | "resources">) {
    this.#plan = plan;
  }

  /** Ends, because a type refers to types before it only. */
  codec(index: TypeIndex): Codec {
    return (this.#codecs[index] ??= this.#make(index, this.#type(index)));
  }

  /** What the stream or future type carries. */
  transferred(index: TypeIndex): TransferredType {
    return (this.#transferred[index] ??= this.#makeTransferred(index));
  }

  #makeTransferred(index: TypeIndex): TransferredType {
    const type = this.#type(index);
    if (type.kind !== "stream" && type.kind !== "future") throw new TypeError(`type ${index} is no stream or future`);
    const kind = type.element === undefined ? "" : this.#type(type.element).kind;
    return { type: index, item: itemType(this.#optional(type.element), kind) };
  }

  #optional(index: TypeIndex | undefined): Codec | undefined {
    return index === undefined ? undefined : this.codec(index);
  }

  #make(index: TypeIndex, type: ValueType): Codec {
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
        return streamCodec(this.transferred(index));
      case "future":
        return futureCodec(this.transferred(index));
      case "error-context":
        return errorContextCodec;
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
