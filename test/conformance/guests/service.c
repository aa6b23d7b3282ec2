// A service of WASI 0.3, written against the canonical ABI by hand: it streams, waits, asks others, and serves many requests
// at once in one instance. Each request is a task with a state; the callback takes it one step further.
#include "guest.h"

#define TYPES "wasi:http/types@0.3.0"
IMPORT(TYPES, "[constructor]fields") handle fields_new(void);
IMPORT(TYPES, "[method]fields.append") void fields_append(handle, const char *, size_t, const char *, size_t, void *);
IMPORT(TYPES, "[method]request.get-path-with-query") void request_path(handle, void *);
IMPORT(TYPES, "[method]request.set-scheme") int32_t request_set_scheme(handle, int32_t, int32_t, const char *, size_t);
IMPORT(TYPES, "[method]request.set-authority") int32_t request_set_authority(handle, int32_t, const char *, size_t);
IMPORT(TYPES, "[method]request.set-path-with-query") int32_t request_set_path(handle, int32_t, const char *, size_t);
IMPORT(TYPES, "[resource-drop]request") void request_drop(handle);
IMPORT(TYPES, "[static]request.new") void request_new(handle, int32_t, handle, handle, int32_t, handle, void *);
IMPORT(TYPES, "[future-new-1][static]request.new") int64_t request_trailers_new(void);
IMPORT(TYPES, "[async-lower][future-write-1][static]request.new") uint32_t request_trailers_write(handle, void *);
IMPORT(TYPES, "[future-drop-writable-1][static]request.new") void request_trailers_drop(handle);
IMPORT(TYPES, "[future-drop-readable-2][static]request.new") void request_sent_drop(handle);

IMPORT(TYPES, "[static]request.consume-body") void request_consume(handle, handle, void *);
IMPORT(TYPES, "[future-new-0][static]request.consume-body") int64_t handled_new(void);
IMPORT(TYPES, "[async-lower][future-write-0][static]request.consume-body") uint32_t handled_write(handle, void *);
IMPORT(TYPES, "[future-drop-writable-0][static]request.consume-body") void handled_drop(handle);
IMPORT(TYPES, "[async-lower][stream-read-1][static]request.consume-body") uint32_t body_read(handle, void *, size_t);
IMPORT(TYPES, "[stream-drop-readable-1][static]request.consume-body") void body_read_drop(handle);
IMPORT(TYPES, "[async-lower][future-read-2][static]request.consume-body") uint32_t trailers_read(handle, void *);
IMPORT(TYPES, "[future-drop-readable-2][static]request.consume-body") void trailers_read_drop(handle);

IMPORT(TYPES, "[static]response.new") void response_new(handle, int32_t, handle, handle, void *);
IMPORT(TYPES, "[method]response.set-status-code") int32_t response_set_status(handle, int32_t);
IMPORT(TYPES, "[static]response.consume-body") void response_consume(handle, handle, void *);
IMPORT(TYPES, "[stream-new-0][static]response.new") int64_t body_new(void);
IMPORT(TYPES, "[async-lower][stream-write-0][static]response.new") uint32_t body_write(handle, const void *, size_t);
IMPORT(TYPES, "[stream-drop-writable-0][static]response.new") void body_write_drop(handle);
IMPORT(TYPES, "[future-new-1][static]response.new") int64_t trailers_new(void);
IMPORT(TYPES, "[async-lower][future-write-1][static]response.new") uint32_t trailers_write(handle, void *);
IMPORT(TYPES, "[future-drop-writable-1][static]response.new") void trailers_write_drop(handle);
IMPORT(TYPES, "[future-drop-readable-2][static]response.new") void sent_drop(handle);

IMPORT("wasi:http/client@0.3.0", "[async-lower]send") uint32_t client_send(handle, void *);
IMPORT("wasi:clocks/monotonic-clock@0.3.0", "[async-lower]wait-for") uint32_t wait_for(uint64_t);

#define HANDLER "wasi:http/handler@0.3.0"
// `result<response, error-code>`: the case, and what its cases have joined.
IMPORT("[export]" HANDLER, "[task-return]handle")
void task_return(int32_t, int32_t, int32_t, int64_t, const char *, size_t, int32_t, int32_t);

// What a task waits for.
enum step { NOTHING, SLEEP, ANSWER, READ, WRITE, TRAILERS_IN, TRAILERS_OUT, LINGER };
enum route { HELLO, UPPER, WAIT_FIRST, TRAP, SPIN, FETCH, LATE, NEVER };

struct task {
  int is_used;
  enum step step;
  enum route route;
  handle set;
  // Ends of the request's body and of the answer's, and their trailers; how the request was handled.
  handle in, in_trailers, out, out_trailers, handled;
  uint32_t milliseconds;
  char *path;
  size_t path_length;
  // What of the buffer is to be written.
  size_t begun, ready;
  int is_read;
  char buffer[4096];
  // A `result<option<trailers>, error-code>`, or what a call came to.
  uint64_t result[8];
};

// More than may be under way at once.
static struct task tasks[64];
static uint32_t running, served, most;
static const uint64_t well[8];
static uint64_t scratch[8];

static int32_t wait(struct task *task, enum step step, handle waited) {
  task->step = step;
  join(waited, task->set);
  return WAIT | task->set << 4;
}

static int32_t finish(struct task *task) {
  set_drop(task->set);
  task->is_used = 0;
  if (--running == 0) arena_used = 0;
  return EXIT;
}

static void begin_answer(struct task *task, int32_t status) {
  handle headers = fields_new();
  fields_append(headers, "content-type", 12, "text/plain", 10, scratch);
  uint64_t trailers = trailers_new(), body = body_new();
  task->out_trailers = WRITABLE(trailers);
  task->out = WRITABLE(body);
  response_new(headers, 1, READABLE(body), READABLE(trailers), scratch);
  handle response = ((handle *)scratch)[0];
  sent_drop(((handle *)scratch)[1]);
  response_set_status(response, status);
  task_return(0, response, 0, 0, 0, 0, 0, 0);
}

static int32_t linger(struct task *task) {
  trailers_write_drop(task->out_trailers);
  if (task->route == UPPER) handled_drop(task->handled);
  if (task->route != LATE) return finish(task);
  uint32_t call = wait_for((uint64_t)task->milliseconds * 1000000);
  return (call & 15) == RETURNED ? finish(task) : wait(task, LINGER, call >> 4);
}

static int32_t give_trailers(struct task *task) {
  if (task->route == UPPER) {
    trailers_read_drop(task->in_trailers);
    handled_write(task->handled, (void *)well);
  } else {
    handle trailers = fields_new();
    fields_append(trailers, "x-served", 8, "1", 1, scratch);
    // `ok(some(trailers))`
    ((uint8_t *)task->result)[0] = 0;
    ((uint8_t *)task->result)[8] = 1;
    ((handle *)task->result)[3] = trailers;
  }
  uint32_t written = trailers_write(task->out_trailers, task->result);
  return written == BLOCKED ? wait(task, TRAILERS_OUT, task->out_trailers) : linger(task);
}

// The request's trailers become the answer's.
static int32_t end_answer(struct task *task) {
  body_write_drop(task->out);
  if (task->route != UPPER) return give_trailers(task);
  body_read_drop(task->in);
  uint32_t read = trailers_read(task->in_trailers, task->result);
  return read == BLOCKED ? wait(task, TRAILERS_IN, task->in_trailers) : give_trailers(task);
}

static void has_read(struct task *task, uint32_t result) {
  task->begun = 0;
  task->ready = result >> 4;
  task->is_read = (result & 15) == DROPPED;
  for (size_t index = 0; index < task->ready; index++)
    if (task->buffer[index] >= 'a' && task->buffer[index] <= 'z') task->buffer[index] -= 32;
}

static void has_written(struct task *task, uint32_t result) {
  task->begun += result >> 4;
  if ((result & 15) != DROPPED) return;
  task->begun = task->ready;
  task->is_read = 1;
}

// What is read is written, until nothing is left.
static int32_t pump(struct task *task) {
  for (;;) {
    if (task->begun < task->ready) {
      uint32_t written = body_write(task->out, task->buffer + task->begun, task->ready - task->begun);
      if (written == BLOCKED) return wait(task, WRITE, task->out);
      has_written(task, written);
    } else if (task->is_read) {
      return end_answer(task);
    } else {
      uint32_t read = body_read(task->in, task->buffer, sizeof task->buffer);
      if (read == BLOCKED) return wait(task, READ, task->in);
      has_read(task, read);
    }
  }
}

static int32_t answer(struct task *task, int32_t status, char *end) {
  task->begun = 0;
  task->ready = end - task->buffer;
  task->is_read = 1;
  begin_answer(task, status);
  return pump(task);
}

static int32_t tell(struct task *task) {
  if (task->route == TRAP) __builtin_trap();
  for (volatile int spinning = task->route == SPIN; spinning;);
  char *end = append(task->buffer, "served ");
  end = append(append_number(end, served), ", at once ");
  end = append(append_number(end, running), ", most ");
  return answer(task, 200, append(append_number(end, most), "\n"));
}

static int32_t forward(struct task *task) {
  // `result<response, error-code>`
  if (((uint8_t *)task->result)[0] != 0) {
    char *end = append(task->buffer, "error ");
    return answer(task, 502, append_number(end, ((uint8_t *)task->result)[8]));
  }
  uint64_t handled = handled_new();
  response_consume(((handle *)task->result)[2], READABLE(handled), scratch);
  handle body = ((handle *)scratch)[0], trailers = ((handle *)scratch)[1];
  handled_write(WRITABLE(handled), (void *)well);
  handled_drop(WRITABLE(handled));
  handle headers = fields_new();
  fields_append(headers, "x-forwarded", 11, "1", 1, scratch);
  response_new(headers, 1, body, trailers, scratch);
  sent_drop(((handle *)scratch)[1]);
  task_return(0, ((handle *)scratch)[0], 0, 0, 0, 0, 0, 0);
  return finish(task);
}

// "/fetch/AUTHORITY/PATH"
static int32_t fetch(struct task *task) {
  char *authority = task->path + 7;
  size_t rest = task->path_length - 7, length = 0;
  while (length < rest && authority[length] != '/') length++;
  uint64_t trailers = request_trailers_new();
  request_new(fields_new(), 0, 0, READABLE(trailers), 0, 0, scratch);
  handle request = ((handle *)scratch)[0];
  request_sent_drop(((handle *)scratch)[1]);
  request_set_scheme(request, 1, 0, 0, 0);
  request_set_authority(request, 1, authority, length);
  request_set_path(request, 1, authority + length, rest - length);
  uint32_t call = client_send(request, task->result);
  request_trailers_write(WRITABLE(trailers), (void *)well);
  request_trailers_drop(WRITABLE(trailers));
  return (call & 15) == RETURNED ? forward(task) : wait(task, ANSWER, call >> 4);
}

static int32_t upper(struct task *task, handle request) {
  uint64_t handled = handled_new();
  task->handled = WRITABLE(handled);
  request_consume(request, READABLE(handled), scratch);
  task->in = ((handle *)scratch)[0];
  task->in_trailers = ((handle *)scratch)[1];
  begin_answer(task, 200);
  return pump(task);
}

static const struct {
  const char *prefix;
  enum route route;
} routes[] = {
    {"/upper", UPPER}, {"/wait/", WAIT_FIRST}, {"/trap/", TRAP}, {"/spin/", SPIN}, {"/fetch/", FETCH}, {"/late/", LATE},
    {"/never", NEVER},
};

static void find_route(struct task *task) {
  for (size_t index = 0; index < sizeof routes / sizeof *routes; index++) {
    const char *prefix = routes[index].prefix;
    if (!starts_with(task->path, task->path_length, prefix)) continue;
    size_t length = length_of(prefix);
    task->route = routes[index].route;
    task->milliseconds = parse_number(task->path + length, task->path_length - length);
  }
}

EXPORT("[async-lift]" HANDLER "#handle") int32_t serve(handle request) {
  struct task *task = tasks;
  while (task->is_used) task++;
  memset(task, 0, sizeof *task);
  task->is_used = 1;
  task->set = set_new();
  context_set(task);
  served++;
  if (++running > most) most = running;
  request_path(request, scratch);
  task->path = ((char **)scratch)[1];
  task->path_length = ((size_t *)scratch)[2];
  find_route(task);
  if (task->route == UPPER) return upper(task, request);
  request_drop(request);
  if (task->route == FETCH) return fetch(task);
  if (starts_with(task->path, task->path_length, "/error")) {
    // `err(internal-error(some("out of luck")))`
    task_return(1, 38, 1, (int64_t)(size_t) "out of luck", (const char *)11, 0, 0, 0);
    return finish(task);
  }
  if (task->route == HELLO || task->route == LATE) return tell(task);
  // For nothing: nobody puts anything into the set.
  if (task->route == NEVER) return WAIT | task->set << 4;
  uint32_t call = wait_for((uint64_t)task->milliseconds * 1000000);
  return (call & 15) == RETURNED ? tell(task) : wait(task, SLEEP, call >> 4);
}

EXPORT("[callback][async-lift]" HANDLER "#handle") int32_t resume(int32_t event, handle waited, uint32_t result) {
  struct task *task = context_get();
  join(waited, 0);
  if (event == SUBTASK) subtask_drop(waited);
  switch (task->step) {
    case SLEEP:
      return tell(task);
    case ANSWER:
      return forward(task);
    case READ:
      has_read(task, result);
      return pump(task);
    case WRITE:
      has_written(task, result);
      return pump(task);
    case TRAILERS_IN:
      return give_trailers(task);
    case TRAILERS_OUT:
      return linger(task);
    default:
      return finish(task);
  }
}
