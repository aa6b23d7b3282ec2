import { BinaryError } from "../leb128.ts";

/**
 * What resolving a component may cost: the bytes of all definitions that are resolved, each time that they are, and the text
 * of the plan. A component of some hundred bytes can ask for any amount of either (a component that instantiates one twice,
 * which instantiates one twice, …). A JavaScript engine with all of WASI takes an eightieth of it.
 */
const unitsMax = 16 * 1024 * 1024;
/** What the smallest definition costs: it becomes an object or two, whatever its size. */
const definitionUnits = 32;

/**
 * Component instances of one component. wasm-tools has the same bound (MAX_WASM_INSTANCES); composed programs of today have
 * some tens.
 */
const componentInstancesMax = 1000;
/** Instances that are made while another one is: each is a few frames of the stack. */
const instantiationDepthMax = 100;
/** Core instances. A component instance of today's tools has two to five. */
const stepsMax = 10_000;

export class WorkBudget {
  #unitsLeft = unitsMax;
  readonly #parents: number[] = [];
  #steps = 0;

  spend(units: number, offset: number): void {
    this.#unitsLeft -= units;
    if (this.#unitsLeft < 0) throw new BinaryError("the component takes too much work to link", offset);
  }

  spendDefinition(bytes: number, offset: number): void {
    this.spend(definitionUnits + bytes, offset);
  }

  /** @returns the number of the new component instance, which is nested in `parent`. */
  takeInstance(parent: number, { depth, offset }: { readonly depth: number; readonly offset: number }): number {
    if (this.#parents.length === componentInstancesMax) {
      throw new BinaryError(`the component has more than ${componentInstancesMax} component instances`, offset);
    }
    if (depth > instantiationDepthMax) {
      throw new BinaryError(`components are instantiated more than ${instantiationDepthMax} deep`, offset);
    }
    return this.#parents.push(parent) - 1;
  }

  /** @returns the number of the new core instance. */
  takeStep(offset: number): number {
    if (this.#steps === stepsMax) {
      throw new BinaryError(`the component has more than ${stepsMax} core instances`, offset);
    }
    return this.#steps++;
  }

  /** Of each component instance the one that it is nested in. */
  get parents(): readonly number[] {
    return this.#parents;
  }
}
