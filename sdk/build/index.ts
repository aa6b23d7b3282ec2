export { buildProject, type BuildOptions, type BuiltImage } from "./build-project.ts";
export { buildComponent, type BuiltComponent } from "./component.ts";
export { componentNames } from "./engine/component-binary.ts";
export type { EngineChoice, EngineMeasure } from "./engine/choose.ts";
export { type EngineName, engineNames } from "./engine/engine.ts";
export { measureStart } from "./engine/measure-start.ts";
export { BuildFault, type BuildFaultCode } from "./fault.ts";
export { type Project, projectFile, readProject } from "./project.ts";
export { createProject, templateNames } from "./template.ts";
