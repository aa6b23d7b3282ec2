export type { ApiClient, PatchType, RawClient, RawOptions, Selector, WatchStart } from "./client.ts";
export {
  explainService,
  postStories,
  postTraces,
  requestStory,
  requestRates,
  requestTraces,
  serviceTraces,
  type LogSelection,
  podLogs,
  type PodLogSelection,
  postLoadReport,
  serviceLogs,
} from "./control-plane.ts";
export { type Credentials, CredentialsFault, type CredentialsFaultCode, readCredentials } from "./credentials.ts";
export { EventRecorder, type EventRecorderOptions, type ObjectReference, referenceTo } from "./event-recorder.ts";
export { type HttpsClient, httpsClient, type HttpsClientOptions } from "./https-client.ts";
export { Informer, type InformerEvent, type InformerOptions, startInformer } from "./informer.ts";
export { join, type JoinOptions, type JoinTarget } from "./join.ts";
export { type KubeconfigContext, readKubeconfig } from "./kubeconfig.ts";
export { forwardPort } from "./port-forward.ts";
export { type PodCommand, type PodCommandStreams, runPodCommand } from "./pod-command.ts";
export { retryOnConflict, type RetryOptions } from "./retry-on-conflict.ts";
