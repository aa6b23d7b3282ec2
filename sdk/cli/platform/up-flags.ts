/** Flags of `shallop up` as the parser gives them. */
export interface UpFlags {
  readonly data?: string;
  readonly host: string;
  /** Names and addresses beside localhost by which other machines reach the API. */
  readonly advertise: readonly string[];
  readonly port: string;
  readonly httpsPort?: string;
  readonly acmeDirectory?: string;
  readonly acmeEmail?: string;
  /** `FLAG=VALUE` of `shallop gateway`. */
  readonly gateway: readonly string[];
  /** `FLAG=VALUE` of `shallop server`. */
  readonly server: readonly string[];
  readonly apiPort: string;
  readonly registryPort: string;
  readonly agentPort: string;
  readonly nodeName?: string;
  readonly preferVariant?: string;
  readonly domain: string;
  readonly autoscaler: readonly string[];
  readonly detach?: boolean;
  /** True: at its place in the data directory; else the path of the socket. */
  readonly docker?: boolean | string;
  readonly registryAuth?: string;
  readonly registryListen?: string;
  readonly registryTlsCert?: string;
  readonly registryTlsKey?: string;
  readonly registryQuota?: string;
  readonly registryRepositoryQuota?: string;
  readonly registryUntaggedLifetime?: string;
  readonly registryUpstream: readonly string[];
  readonly registryMirror: readonly string[];
}
