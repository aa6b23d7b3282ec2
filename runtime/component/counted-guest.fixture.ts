import { parse } from "@bytecodealliance/jco";
import { FakeClock } from "@shallop/sdk/internal/testing";
import { exposeState } from "./core-module/expose-state.ts";
import type { GuestRequest, GuestResponse, Instance, LinkedArtifact, LoadedComponent } from "./engine.ts";
import { linkedEngine } from "./linked-engine.ts";
import { planLinks } from "./link/plan-links.ts";
import { ByteQueue } from "./wasi/byte-queue.ts";
import { testContext } from "./wasi/context.fixture.ts";

/** Of a component's text: the part of WASI's HTTP that answers a method with a status. */
export const httpTypes = `(import "wasi:http/types@0.2.0" (instance $http
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $request (sub resource)))
    (export "outgoing-response" (type $response (sub resource)))
    (export "response-outparam" (type $outparam (sub resource)))
    (type $m (variant (case "get") (case "head") (case "post") (case "put") (case "delete") (case "connect")
      (case "options") (case "trace") (case "patch") (case "other" string)))
    (export "method" (type $method (eq $m)))
    (type $e (variant (case "internal-error" (option string))))
    (export "error-code" (type $error (eq $e)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]incoming-request.method" (func (param "self" (borrow $request)) (result $method)))
    (export "[constructor]outgoing-response" (func (param "headers" (own $fields)) (result (own $response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $response)) (param "status-code" u16) (result (result))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $outparam)) (param "response" (result (own $response) (error $error)))))
  ))
  (alias export $http "incoming-request" (type $request))
  (alias export $http "outgoing-response" (type $response))
  (alias export $http "response-outparam" (type $outparam))`;

/** Of a component's text: serves by the function `handle` of the core instance `$i`. */
export const handler = `(func $handle (param "request" (own $request)) (param "outparam" (own $outparam)) (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler))`;

export async function artifactOf(wat: string): Promise<LinkedArtifact> {
  const { plan, modules } = planLinks(await parse(wat));
  const exposed = modules.map(exposeState);
  return {
    form: "linked",
    links: { plan, states: exposed.map(({ state }) => state) },
    modules: exposed.map(({ bytes }) => new WebAssembly.Module(bytes)),
  };
}

/** A component, and how often it has been initialised: its start reads the environment. */
export class CountedGuest {
  initialised = 0;
  readonly clock = new FakeClock();
  readonly component: LoadedComponent;

  constructor(artifact: LinkedArtifact) {
    this.component = linkedEngine.load(artifact);
  }

  instantiate(): Promise<Instance> {
    const { settings } = testContext().context;
    const count = (): [] => {
      this.initialised++;
      return [];
    };
    return this.component.instantiate({
      ...settings,
      clock: this.clock,
      get environment() {
        return count();
      },
    });
  }
}

/** One request. @returns the status; 0 when there was none */
export async function serve(instance: Instance, method: string): Promise<number> {
  let status = 0;
  const body = new ByteQueue(() => undefined);
  body.end();
  const request: GuestRequest = { method, target: "/", scheme: "http", authority: "test", headers: [], body };
  const response: GuestResponse = {
    respond: (code) => (status = code),
    body: {
      ready: () => true,
      capacity: () => 1024,
      write: () => undefined,
      flushed: () => true,
      failure: () => undefined,
      subscribe: () => () => undefined,
    },
    finish: () => undefined,
    fail: () => undefined,
  };
  await instance.handle(request, response).catch(() => undefined);
  return status;
}
