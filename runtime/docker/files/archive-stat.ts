import { statModes } from "./stat-modes.ts";

/** What is at a path of a container. */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** `mode` of stat(2): type and permissions. */
  readonly mode: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Of a link, where it leads in the container. */
  readonly linkTarget: string;
}

/** Header of the answers of `/archive`: base64 of JSON, the mode as Go's os.FileMode has it. */
export const statHeader = "X-Docker-Container-Path-Stat";

export function statHeaderOf({ name, size, mode, mtime, linkTarget }: PathStat): string {
  const json = { name, size, mode: goMode(mode), mtime: new Date(mtime * 1000).toISOString(), linkTarget };
  return Buffer.from(JSON.stringify(json)).toString("base64");
}

/** Go's os.FileMode: permissions as everywhere, types and set-id bits from the top down. */
const goBits = { directory: 2 ** 31, symlink: 2 ** 27, device: 2 ** 26, fifo: 2 ** 25, socket: 2 ** 24 } as const;
const goSetBits = { setuid: 2 ** 23, setgid: 2 ** 22, characterDevice: 2 ** 21, sticky: 2 ** 20 } as const;

function goMode(mode: number): number {
  const type = mode & statModes.type;
  const kind =
    type === statModes.directory
      ? goBits.directory
      : type === statModes.symlink
        ? goBits.symlink
        : type === statModes.fifo
          ? goBits.fifo
          : type === statModes.socket
            ? goBits.socket
            : type === statModes.character
              ? goBits.device + goSetBits.characterDevice
              : type === statModes.block
                ? goBits.device
                : 0;
  const set =
    ((mode & 0o4000) === 0 ? 0 : goSetBits.setuid) +
    ((mode & 0o2000) === 0 ? 0 : goSetBits.setgid) +
    ((mode & 0o1000) === 0 ? 0 : goSetBits.sticky);
  return kind + set + (mode & 0o777);
}
