// A guest that uses files, sockets and the command line's interfaces through a real component's bindings. Answers with a
// line for each step. Built by whole-guest.ts with QuickJS, whose bindings make 64-bit integers numbers.
import { getArguments, initialCwd } from "wasi:cli/environment@0.2.3";
import { getStdin } from "wasi:cli/stdin@0.2.3";
import { exitWithCode } from "wasi:cli/exit@0.2.3";
import { getTerminalStdout } from "wasi:cli/terminal-stdout@0.2.3";
import { getDirectories } from "wasi:filesystem/preopens@0.2.3";
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wasi:http/types@0.2.3";
import { instanceNetwork } from "wasi:sockets/instance-network@0.2.3";
import { resolveAddresses } from "wasi:sockets/ip-name-lookup@0.2.3";
import { createTcpSocket } from "wasi:sockets/tcp-create-socket@0.2.3";
import { createUdpSocket } from "wasi:sockets/udp-create-socket@0.2.3";

const bytes = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const text = (list) => String.fromCharCode(...list);
const asIs = {};
const follow = { symlinkFollow: true };

function readAll(stream) {
  let content = "";
  for (;;) {
    try {
      content += text(stream.blockingRead(1000));
    } catch {
      return content;
    }
  }
}

/** What went wrong, as the bindings throw it. */
function refusal(run) {
  try {
    run();
    return "no error";
  } catch (error) {
    return JSON.stringify(error?.payload ?? error?.message ?? String(error));
  }
}

function whenReady(subject, ask) {
  for (;;) {
    try {
      return ask();
    } catch (error) {
      if (JSON.stringify(error?.payload) !== '"would-block"') throw error;
      subject.subscribe().block();
    }
  }
}

function files(say) {
  const [[root, name]] = getDirectories();
  say(`granted ${name} ${root.getType()} ${JSON.stringify(root.getFlags().mutateDirectory)}`);
  root.createDirectoryAt("dir");
  const file = root.openAt(asIs, "dir/file", { create: true }, { read: true, write: true });
  say(`wrote ${file.write(bytes("hello world"), 0)}`);
  const [content, isEnd] = file.read(5, 6);
  say(`read ${text(content)} ${isEnd}`);
  const output = file.writeViaStream(6);
  output.blockingWriteAndFlush(bytes("files"));
  output[Symbol.dispose]();
  say(`stream ${readAll(file.readViaStream(0))}`);
  const stat = file.stat();
  say(`stat ${stat.type} ${stat.size} ${stat.dataModificationTimestamp.seconds > 0}`);
  root.symlinkAt("dir/file", "link");
  say(`symlink ${root.readlinkAt("link")} ${root.statAt(follow, "link").size}`);
  const entries = root.readDirectory();
  const names = [];
  for (
    let entry = entries.readDirectoryEntry();
    entry !== undefined && entry !== null;
    entry = entries.readDirectoryEntry()
  ) {
    names.push(`${entry.name}=${entry.type}`);
  }
  say(`entries ${names.sort().join(" ")}`);
  root.setTimesAt(follow, "link", { tag: "timestamp", val: { seconds: 5, nanoseconds: 0 } }, { tag: "no-change" });
  say(`times ${file.stat().dataAccessTimestamp.seconds}`);
  root.renameAt("link", root, "renamed");
  root.unlinkFileAt("renamed");
  say(`same ${file.isSameObject(root.openAt(asIs, "dir/file", {}, { read: true }))}`);
  say(`hash ${file.metadataHash().lower === root.metadataHashAt(asIs, "dir/file").lower}`);
  say(`refused ${refusal(() => root.openAt(follow, "../outside", {}, { read: true }))}`);
  say(`missing ${refusal(() => root.openAt(follow, "nowhere", {}, { read: true }))}`);
}

function tcp(say, port) {
  const network = instanceNetwork();
  const socket = createTcpSocket("ipv4");
  const to = { tag: "ipv4", val: { port, address: [127, 0, 0, 1] } };
  socket.startConnect(network, to);
  const [input, output] = whenReady(socket, () => socket.finishConnect());
  output.blockingWriteAndFlush(bytes("ping"));
  socket.shutdown("send");
  say(`tcp ${readAll(input)} ${socket.remoteAddress().val.port === port}`);
  const denied = { tag: "ipv4", val: { port: 80, address: [10, 0, 0, 1] } };
  say(`tcp refused ${refusal(() => createTcpSocket("ipv4").startConnect(network, denied))}`);
  say(`bind refused ${refusal(() => createTcpSocket("ipv4").startBind(network, to))}`);
}

function udp(say, port) {
  const network = instanceNetwork();
  const socket = createUdpSocket("ipv4");
  socket.startBind(network, { tag: "ipv4", val: { port: 0, address: [0, 0, 0, 0] } });
  socket.finishBind();
  const [input, output] = socket.stream(undefined);
  output.checkSend();
  const remoteAddress = { tag: "ipv4", val: { port, address: [127, 0, 0, 1] } };
  say(`udp sent ${output.send([{ data: bytes("ping"), remoteAddress }])}`);
  input.subscribe().block();
  const [datagram] = input.receive(10);
  say(`udp ${text(datagram.data)} ${datagram.remoteAddress.val.address.join(".")}`);
  const names = resolveAddresses(network, "peer.test");
  const address = whenReady(names, () => names.resolveNextAddress());
  say(`name ${address.tag} ${[...address.val].join(".")}`);
}

export const incomingHandler = {
  handle(request, out) {
    const lines = [];
    const say = (line) => lines.push(line);
    const [path, tcpPort, udpPort] = request.pathWithQuery().split("?");
    if (path === "/exit") exitWithCode(7);
    say(`arguments ${getArguments().join(" ")} in ${initialCwd()}`);
    say(`stdin ${readAll(getStdin())}`);
    say(`terminal ${getTerminalStdout() !== undefined && getTerminalStdout() !== null}`);
    try {
      files(say);
      tcp(say, Number(tcpPort));
      udp(say, Number(udpPort));
    } catch (error) {
      say(`failed ${error?.message} ${JSON.stringify(error?.payload)}`);
    }
    const response = new OutgoingResponse(new Fields());
    const body = response.body();
    ResponseOutparam.set(out, { tag: "ok", val: response });
    const stream = body.write();
    stream.blockingWriteAndFlush(bytes(lines.join("\n")));
    stream[Symbol.dispose]();
    OutgoingBody.finish(body, undefined);
  },
};
