import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackDebian } from "../support/debian.ts";
import { freePort, type HttpPeer, start } from "./http-peers.ts";

export interface ProxyPrograms extends AsyncDisposable {
  readonly directory: string;
}

/** nginx and HAProxy of this machine's Debian, unpacked into a temporary directory: nothing is installed. */
export async function proxyPrograms(): Promise<ProxyPrograms> {
  const directory = await mkdtemp(join(tmpdir(), "shallop-bench-proxies-"));
  unpackDebian(["nginx", "haproxy"], directory);
  // A proxy that is just ending takes its own files away meanwhile, which ends a removal that is not asked for one file at a time.
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

const nginxConfig = (directory: string, port: number, upstream: string): string => `
worker_processes 1; daemon off; pid ${directory}/nginx-${port}.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  upstream behind { server ${upstream}; keepalive 128; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${port}; location / {
    proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; } }
}
`;

const haproxyConfig = (port: number, upstream: number): string => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend behind
backend behind
  server one 127.0.0.1:${upstream}
`;

/** One worker, kept connections on both sides, no log: as fast as it is. `upstream`: `HOST:PORT`. */
export async function nginx({ directory }: ProxyPrograms, upstream: string): Promise<HttpPeer> {
  const port = await freePort();
  const file = join(directory, `nginx-${port}.conf`);
  await writeFile(file, nginxConfig(directory, port, upstream));
  return start(
    "nginx",
    port,
    withLibraries(directory, [join(directory, "usr/sbin/nginx"), "-p", directory, "-c", file]),
  );
}

export async function haproxy({ directory }: ProxyPrograms, upstream: number): Promise<HttpPeer> {
  const port = await freePort();
  const file = join(directory, `haproxy-${port}.cfg`);
  await writeFile(file, haproxyConfig(port, upstream));
  return start("HAProxy", port, withLibraries(directory, [join(directory, "usr/sbin/haproxy"), "-f", file, "-q"]));
}

/** Their libraries are in the same directory. */
const withLibraries = (directory: string, command: readonly string[]): readonly string[] => [
  "/usr/bin/env",
  `LD_LIBRARY_PATH=${join(directory, "usr/lib/x86_64-linux-gnu")}:${join(directory, "usr/lib/aarch64-linux-gnu")}`,
  ...command,
];
