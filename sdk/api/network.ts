import type { ApiObject, Condition } from "./meta.ts";

/** Secret and Service of core/v1, discovery.k8s.io/v1 and networking.k8s.io/v1: the fields that Shallop acts on. */

export interface Secret extends ApiObject {
  readonly kind: "Secret";
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** `metav1.Condition`: every field is there. */
export interface StrictCondition extends Condition {
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

export interface CoreServicePort {
  readonly name?: string;
  readonly protocol?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

/** core/v1 Service: a name for the pods that its selector chooses. */
export interface CoreService extends ApiObject {
  readonly kind: "Service";
  readonly spec?: {
    readonly type?: string;
    /** `None`: names lead to the pods themselves. */
    readonly clusterIP?: string;
    readonly sessionAffinity?: "None" | "ClientIP";
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly CoreServicePort[];
    readonly publishNotReadyAddresses?: boolean;
    /** Of the type `ExternalName`: a name outside, whose records it has. */
    readonly externalName?: string;
  };
  readonly status?: { readonly loadBalancer?: Readonly<Record<string, unknown>> };
}

export interface EndpointSlice extends ApiObject {
  readonly kind: "EndpointSlice";
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints: readonly {
    readonly addresses: readonly string[];
    readonly hostname?: string;
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
    readonly nodeName?: string;
    readonly targetRef?: {
      readonly kind: string;
      readonly namespace?: string;
      readonly name: string;
      readonly uid?: string;
    };
  }[];
  readonly ports?: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[];
}

export interface IngressBackend {
  readonly service?: {
    readonly name: string;
    readonly port?: { readonly name?: string; readonly number?: number };
  };
}

export interface IngressPath {
  readonly path?: string;
  readonly pathType: "Exact" | "Prefix" | "ImplementationSpecific";
  readonly backend: IngressBackend;
}

export interface Ingress extends ApiObject {
  readonly kind: "Ingress";
  readonly spec?: {
    readonly ingressClassName?: string;
    readonly defaultBackend?: IngressBackend;
    readonly tls?: readonly { readonly hosts?: readonly string[]; readonly secretName?: string }[];
    readonly rules?: readonly {
      readonly host?: string;
      readonly http?: { readonly paths: readonly IngressPath[] };
    }[];
  };
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[];
    };
  };
}

export interface IngressClass extends ApiObject {
  readonly kind: "IngressClass";
  readonly spec?: { readonly controller?: string };
}
