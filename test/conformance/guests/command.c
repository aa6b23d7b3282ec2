// A command of WASI 0.3 on a stack of its own: every call and every copy is the blocking one. It reads its input, waits, writes
// and reads a file, talks to a server, and says so on its output, a line each.
#include "guest.h"

IMPORT("wasi:cli/environment@0.3.0", "get-arguments") void get_arguments(void *);
IMPORT("wasi:cli/exit@0.3.0", "exit-with-code") void exit_with_code(int32_t);
#define STDIN "wasi:cli/stdin@0.3.0"
IMPORT(STDIN, "read-via-stream") void read_input(void *);
IMPORT(STDIN, "[stream-read-0]read-via-stream") uint32_t input_read(handle, void *, size_t);
IMPORT(STDIN, "[stream-drop-readable-0]read-via-stream") void input_drop(handle);
IMPORT(STDIN, "[future-read-1]read-via-stream") uint32_t input_ended(handle, void *);
#define STDOUT "wasi:cli/stdout@0.3.0"
IMPORT(STDOUT, "write-via-stream") handle write_output(handle);
IMPORT(STDOUT, "[stream-new-0]write-via-stream") int64_t output_new(void);
IMPORT(STDOUT, "[stream-write-0]write-via-stream") uint32_t output_write(handle, const void *, size_t);
IMPORT(STDOUT, "[stream-drop-writable-0]write-via-stream") void output_drop(handle);
IMPORT(STDOUT, "[future-read-1]write-via-stream") uint32_t output_ended(handle, void *);

#define CLOCK "wasi:clocks/monotonic-clock@0.3.0"
IMPORT(CLOCK, "now") uint64_t now(void);
IMPORT(CLOCK, "wait-for") void wait_for(uint64_t);
IMPORT("wasi:random/random@0.3.0", "get-random-u64") uint64_t random_number(void);

#define FILES "wasi:filesystem/types@0.3.0"
IMPORT("wasi:filesystem/preopens@0.3.0", "get-directories") void get_directories(void *);
IMPORT(FILES, "[method]descriptor.open-at") void open_at(handle, int32_t, const char *, size_t, int32_t, int32_t, void *);
IMPORT(FILES, "[method]descriptor.write-via-stream") handle write_file(handle, handle, uint64_t);
IMPORT(FILES, "[stream-new-0][method]descriptor.write-via-stream") int64_t file_new(void);
IMPORT(FILES, "[stream-write-0][method]descriptor.write-via-stream") uint32_t file_write(handle, const void *, size_t);
IMPORT(FILES, "[stream-drop-writable-0][method]descriptor.write-via-stream") void file_write_drop(handle);
IMPORT(FILES, "[future-read-1][method]descriptor.write-via-stream") uint32_t file_written(handle, void *);
IMPORT(FILES, "[method]descriptor.read-via-stream") void read_file(handle, uint64_t, void *);
IMPORT(FILES, "[stream-read-0][method]descriptor.read-via-stream") uint32_t file_read(handle, void *, size_t);
IMPORT(FILES, "[stream-drop-readable-0][method]descriptor.read-via-stream") void file_read_drop(handle);
IMPORT(FILES, "[method]descriptor.read-directory") void read_directory(handle, void *);
IMPORT(FILES, "[stream-read-0][method]descriptor.read-directory") uint32_t entries_read(handle, void *, size_t);
IMPORT(FILES, "[stream-drop-readable-0][method]descriptor.read-directory") void entries_drop(handle);
IMPORT(FILES, "[resource-drop]descriptor") void descriptor_drop(handle);

#define SOCKETS "wasi:sockets/types@0.3.0"
IMPORT(SOCKETS, "[static]tcp-socket.create") void tcp_create(int32_t, void *);
// The family, the port and the parts of the address; what IPv6 has beside is left alone.
IMPORT(SOCKETS, "[method]tcp-socket.connect")
void tcp_connect(handle, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t, void *);
IMPORT(SOCKETS, "[method]tcp-socket.send") handle tcp_send(handle, handle);
IMPORT(SOCKETS, "[stream-new-0][method]tcp-socket.send") int64_t tcp_new(void);
IMPORT(SOCKETS, "[stream-write-0][method]tcp-socket.send") uint32_t tcp_write(handle, const void *, size_t);
IMPORT(SOCKETS, "[stream-drop-writable-0][method]tcp-socket.send") void tcp_write_drop(handle);
IMPORT(SOCKETS, "[future-read-1][method]tcp-socket.send") uint32_t tcp_sent(handle, void *);
IMPORT(SOCKETS, "[method]tcp-socket.receive") void tcp_receive(handle, void *);
IMPORT(SOCKETS, "[stream-read-0][method]tcp-socket.receive") uint32_t tcp_read(handle, void *, size_t);
IMPORT(SOCKETS, "[stream-drop-readable-0][method]tcp-socket.receive") void tcp_read_drop(handle);
IMPORT(SOCKETS, "[resource-drop]tcp-socket") void tcp_drop(handle);

#define RUN "wasi:cli/run@0.3.0"
IMPORT("[export]" RUN, "[task-return]run") void task_return(int32_t);

typedef uint32_t read_some(handle, void *, size_t);
typedef uint32_t write_some(handle, const void *, size_t);

static uint64_t result[8];
static char line[8192];
static handle output;

static char *read_all(read_some *read, handle stream, char *to) {
  for (;;) {
    uint32_t status = read(stream, to, 256);
    to += status >> 4;
    if ((status & 15) == DROPPED) return to;
  }
}

static void write_all(write_some *write, handle stream, const char *text, size_t length) {
  while (length > 0) {
    uint32_t status = write(stream, text, length);
    if ((status & 15) == DROPPED) return;
    text += status >> 4;
    length -= status >> 4;
  }
}

static void say(char *end) {
  *end++ = '\n';
  write_all(output_write, output, line, end - line);
}

// A `result<_, error-code>`, as a word.
static char *append_outcome(char *to) { return append(to, ((uint8_t *)result)[0] ? " badly" : " well"); }

static void use_input(void) {
  read_input(result);
  handle stream = ((handle *)result)[0], ended = ((handle *)result)[1];
  char *end = read_all(input_read, stream, append(line, "read "));
  input_drop(stream);
  input_ended(ended, result);
  say(append_outcome(end));
}

static void use_clock(void) {
  uint64_t before = now();
  wait_for(20000000);
  say(append(line, now() - before >= 20000000 ? "waited long enough" : "woke too early"));
}

static void use_files(void) {
  get_directories(result);
  if (((size_t *)result)[1] == 0) return say(append(line, "no directory"));
  // A list of `tuple<descriptor, string>`.
  handle directory = *((handle **)result)[0];
  open_at(directory, 0, "written.txt", 11, 1, 3, result);
  if (((uint8_t *)result)[0]) return say(append(line, "no file"));
  handle file = ((handle *)result)[1];
  uint64_t pair = file_new();
  handle written = write_file(file, READABLE(pair), 0);
  write_all(file_write, WRITABLE(pair), "hello files", 11);
  file_write_drop(WRITABLE(pair));
  file_written(written, result);
  say(append_outcome(append(line, "wrote")));
  read_file(file, 6, result);
  handle stream = ((handle *)result)[0];
  say(read_all(file_read, stream, append(line, "file has ")));
  file_read_drop(stream);
  descriptor_drop(file);
  read_directory(directory, result);
  stream = ((handle *)result)[0];
  uint32_t status = entries_read(stream, line + 4096, 8);
  say(append_number(append(line, "entries "), status >> 4));
  entries_drop(stream);
  descriptor_drop(directory);
}

static void use_sockets(int32_t port) {
  tcp_create(0, result);
  handle socket = ((handle *)result)[1];
  tcp_connect(socket, 0, port, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, result);
  if (((uint8_t *)result)[0]) return say(append(line, "no connection"));
  uint64_t pair = tcp_new();
  handle sent = tcp_send(socket, READABLE(pair));
  write_all(tcp_write, WRITABLE(pair), "ping", 4);
  tcp_write_drop(WRITABLE(pair));
  tcp_sent(sent, result);
  char *end = append(append_outcome(append(line, "sent")), ", got ");
  tcp_receive(socket, result);
  handle stream = ((handle *)result)[0];
  say(read_all(tcp_read, stream, end));
  tcp_read_drop(stream);
  tcp_drop(socket);
}

EXPORT("[async-lift-stackful]" RUN "#run") void run(void) {
  uint64_t pair = output_new();
  output = WRITABLE(pair);
  handle ended = write_output(READABLE(pair));
  get_arguments(result);
  // A list of strings: the program's name, a port, and an exit code.
  char **texts = ((char ***)result)[0];
  size_t count = ((size_t *)result)[1];
  int32_t port = count > 1 ? parse_number(texts[2], (size_t)texts[3]) : 0;
  int32_t code = count > 2 ? parse_number(texts[4], (size_t)texts[5]) : 0;
  use_input();
  use_clock();
  say(append(line, random_number() == random_number() ? "no chance" : "chance"));
  use_files();
  if (port > 0) use_sockets(port);
  output_drop(output);
  output_ended(ended, result);
  if (code > 1) exit_with_code(code);
  task_return(code);
}
