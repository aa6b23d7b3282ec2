export type { FunctionModule } from "./function.ts";
