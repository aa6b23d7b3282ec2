import { describeError } from "@shallop/sdk/internal";
import { readSurface, type ComponentSurface } from "./component-binary.ts";
import { exposeState, type ExposedModule } from "./core-module/expose-state.ts";
import { capMemories } from "./core-module/memory-cap.ts";
import { type ModulePlace, validateModule } from "./core-module/validate-module.ts";
import { BinaryError, UnlinkedError } from "./leb128.ts";
import type { LinkPlan } from "./link/link-plan.ts";
import { planLinks, type PlannedLinks } from "./link/plan-links.ts";
import type { TypedSurface } from "./link/typed-surface.ts";
import { checkRequirements } from "./requirements.ts";
import { untrueImports } from "./wasi-types.ts";

/** What a component is and wants, and whether it is one. */
export interface Examination {
  readonly surface: ComponentSurface;
  /** Imports that this node does not provide: interfaces by their names, and what is not in an interface, or not so. */
  readonly unmet: readonly string[];
  /** When it is invalid, or has what is not supported: the reason, with the offset. */
  readonly found: ValidComponent | InvalidComponent;
}

export interface InvalidComponent {
  readonly isValid: false;
  readonly reason: string;
  /** It has what this linker does not link, and may be in order: jco's bindings may run it. */
  readonly isUnlinked: boolean;
}

export interface ValidComponent {
  readonly isValid: true;
  readonly plan: LinkPlan;
  /** Its core modules, with their state exported. */
  readonly modules: readonly ExposedModule[];
  /** What it imports and exports, with types. */
  readonly types: TypedSurface;
  /** Its world; undefined when no WIT describes it. */
  readonly wit: string | undefined;
}

/** Holds a component against the Component Model's rules, as `validateComponent` does. */
export type Validate = (component: Uint8Array) => Promise<string | undefined>;

/** In this thread. Loaded when it is wanted, because it is large. */
const validateHere: Validate = async (component) =>
  (await import("./validate-component.ts")).validateComponent(component);

/**
 * Everything that is found out about a component before it runs. The cheap comes first, and what has bounds of its own
 * comes before what has not.
 */
export async function examineComponent(component: Uint8Array, validate: Validate = validateHere): Promise<Examination> {
  let surface: ComponentSurface = { imports: [], exports: [] };
  let unmet: readonly string[] = [];
  try {
    surface = readSurface(component);
    ({ unmet } = checkRequirements(surface));
    const links = planLinks(component);
    unmet = [...unmet, ...untrueImports(links.surface)];
    return { surface, unmet, found: await validComponent(component, links, validate) };
  } catch (error) {
    return { surface, unmet, found: invalid(error) };
  }
}

const invalid = (error: unknown): InvalidComponent => ({
  isValid: false,
  reason: describeError(error),
  isUnlinked: error instanceof UnlinkedError,
});

/** Both may be under way at once; what is wrong with the component itself is named before what is wrong with a module in it. */
async function validComponent(
  component: Uint8Array,
  { plan, modules, surface }: PlannedLinks,
  validate: Validate,
): Promise<ValidComponent> {
  const [validation, exposed] = await Promise.allSettled([
    validate(component),
    Promise.try(() =>
      modules.map((module, index) =>
        exposedModule(module, { index, offset: module.byteOffset - component.byteOffset }),
      ),
    ),
  ]);
  if (validation.status === "rejected") throw validation.reason;
  if (exposed.status === "rejected") throw exposed.reason;
  return { isValid: true, plan, modules: exposed.value, types: surface, wit: validation.value };
}

/** A valid module with its state exported. @throws BinaryError with the offset in the component */
function exposedModule(module: Uint8Array, place: ModulePlace): ExposedModule {
  try {
    // Shared memories are refused here.
    capMemories(module, 2 ** 32);
    const exposed = exposeState(module);
    if (WebAssembly.validate(exposed.bytes)) return exposed;
  } catch (error) {
    if (!(error instanceof BinaryError)) throw error;
    throw new BinaryError(`core module ${place.index}: ${error.problem}`, place.offset + error.offset);
  }
  // What was added to the module shall not be what is wrong with it.
  validateModule(module, place);
  throw new Error(`core module ${place.index} cannot be given exports of its state`);
}
