import type {
  BuiltinPlan,
  Callee,
  CoreReference,
  ExportPlan,
  HostFunctionPlan,
  LiftPlan,
  LinkPlan,
  ResourcePlan,
  StepPlan,
} from "./link-plan.ts";
import type { FunctionItem } from "./item.ts";
import type { TypedItem } from "./typed-surface.ts";
import { TypeArena, mapFunctionType, mapValueType, type TypeMapping } from "./type-arena.ts";
import type { FunctionType, TypeIndex, ValueType } from "./value-type.ts";
import { WorkBudget } from "./work-budget.ts";

/** Collects the plan: each thing gets its number there when it is first needed, and what is not needed gets none. */
export class PlanBuilder {
  readonly budget = new WorkBudget();
  /** Types as they are met; their resources are indices into `resources`. */
  readonly arena = new TypeArena();
  readonly #allResources: ResourcePlan[] = [];
  /** What the outermost component imports, used or not. */
  readonly imported: TypedItem[] = [];

  readonly #types: ValueType[] = [];
  readonly #resources: ResourcePlan[] = [];
  readonly #hostFunctions: HostFunctionPlan[] = [];
  readonly #lifts: LiftPlan[] = [];
  readonly #builtins: BuiltinPlan[] = [];
  readonly #steps: StepPlan[] = [];
  readonly #exports: ExportPlan[] = [];

  readonly #typeNumbers = new Map<TypeIndex, TypeIndex>();
  readonly #resourceNumbers = new Map<number, number>();
  readonly #hostNumbers = new Map<FunctionItem, number>();
  readonly #builtinNumbers = new Map<string, number>();
  readonly #mapping: TypeMapping = {
    type: (index) => this.type(index),
    resource: (resource) => this.resource(resource),
  };

  /** @returns a number for types of the arena, not of the plan. */
  defineResource(resource: ResourcePlan): number {
    this.#allResources.push(resource);
    return this.#allResources.length - 1;
  }

  resourceOf(number: number): ResourcePlan {
    const resource = this.#allResources[number];
    if (resource === undefined) throw new RangeError(`no resource ${number}`);
    return resource;
  }

  /** The plan's number of a resource. */
  resource(number: number): number {
    const known = this.#resourceNumbers.get(number);
    if (known !== undefined) return known;
    this.#resources.push(this.resourceOf(number));
    this.#resourceNumbers.set(number, this.#resources.length - 1);
    return this.#resources.length - 1;
  }

  /** The plan's number of a type of the arena; the types in it come before it. */
  type(index: TypeIndex): TypeIndex {
    const known = this.#typeNumbers.get(index);
    if (known !== undefined) return known;
    const type = mapValueType(this.arena.get(index), this.#mapping);
    this.#types.push(type);
    this.#typeNumbers.set(index, this.#types.length - 1);
    return this.#types.length - 1;
  }

  functionType(type: FunctionType): FunctionType {
    return mapFunctionType(type, this.#mapping);
  }

  callee(item: FunctionItem, offset: number): Callee {
    if (item.kind === "lift") return { kind: "lift", lift: item.lift };
    const known = this.#hostNumbers.get(item);
    if (known !== undefined) return { kind: "host", host: known };
    const plan = { interface: item.interface, name: item.name };
    this.#charge(plan, offset);
    this.#hostFunctions.push(plan);
    this.#hostNumbers.set(item, this.#hostFunctions.length - 1);
    return { kind: "host", host: this.#hostFunctions.length - 1 };
  }

  lift(plan: LiftPlan, offset: number): number {
    this.#charge(plan, offset);
    this.#lifts.push(plan);
    return this.#lifts.length - 1;
  }

  /** Equal built-ins are one. */
  builtin(plan: BuiltinPlan, offset: number): CoreReference {
    const text = this.#charge(plan, offset);
    const known = this.#builtinNumbers.get(text);
    if (known !== undefined) return { kind: "builtin", builtin: known };
    this.#builtins.push(plan);
    this.#builtinNumbers.set(text, this.#builtins.length - 1);
    return { kind: "builtin", builtin: this.#builtins.length - 1 };
  }

  /** The caller has paid for it, entry by entry. */
  step(plan: StepPlan): void {
    this.#steps.push(plan);
  }

  export(plan: ExportPlan, offset: number): void {
    this.#charge(plan, offset);
    this.#exports.push(plan);
  }

  finish(): LinkPlan {
    return {
      types: this.#types,
      resources: this.#resources,
      componentInstances: this.budget.parents.length,
      instanceParents: this.budget.parents,
      hostFunctions: this.#hostFunctions,
      lifts: this.#lifts,
      builtins: this.#builtins,
      steps: this.#steps,
      exports: this.#exports,
    };
  }

  /** A plan is stored as text: that it stays in proportion is measured in text. */
  #charge(plan: unknown, offset: number): string {
    const text = JSON.stringify(plan);
    this.budget.spend(text.length, offset);
    return text;
  }
}
