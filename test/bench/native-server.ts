import { execFileSync } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalNativeImage } from "../../runtime/image/local-image.ts";

/** Answers each connection with a page, and says when it listens. Nothing of its start is its own fault. */
const source = `
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
  static const char page[] = "HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\nhello\\n";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
  int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);
  signal(SIGPIPE, SIG_IGN);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) return 1;
  write(1, "ready\\n", 6);
  for (;;) {
    char request[4096];
    int client = accept(server, 0, 0);
    if (client < 0) continue;
    read(client, request, sizeof request);
    write(client, page, sizeof page - 1);
    close(client);
  }
}
`;

/** An image of one static server, whose layer is a directory; undefined where there is no compiler. */
export async function staticServer(): Promise<LocalNativeImage | undefined> {
  // Made once, and the same for all: what is new takes the place of what is there as a whole.
  const directory = join(tmpdir(), `shallop-bench-server-${process.getuid?.() ?? 0}`);
  const [layer, program] = [join(directory, "layer"), join(directory, `server.${process.pid}`)];
  await mkdir(layer, { recursive: true, mode: 0o755 });
  await writeFile(`${program}.c`, source);
  try {
    execFileSync("cc", ["-O1", "-static", "-o", program, `${program}.c`], { stdio: "ignore" });
    await rename(program, join(layer, "server"));
  } catch {
    return undefined;
  }
  const config = { env: [], entrypoint: ["/server"], cmd: [], workingDir: "", user: "", exposedPorts: [] };
  return { variant: "native", digest: "sha256:bench", layerPaths: [layer], config, sizeBytes: 1 << 20 };
}
