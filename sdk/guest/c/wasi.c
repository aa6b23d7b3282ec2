/* shallop.h as a component that exports wasi:http/incoming-handler. */
#include "shallop.h"
#include "text.h"
#include "wasi.h"

struct shallop_request {
  handle own;
  const char *method, *path, *query;
  handle headers, body, stream;
};

struct shallop_response {
  handle outparam, headers, body, stream;
  int status;
  bool sent, gone;
};

/* Where the host is to put the list that is read next, instead of into memory taken for it. */
static char *landing;

/* Memory is given back when the next request comes: an instance answers one at a time. */
#ifdef SHALLOP_LIBC
#include <stdlib.h>

static struct note {
  struct note *next;
  max_align_t content[];
} *notes;

static void *take(uint32_t align, uint32_t size) {
  struct note *fresh = malloc(sizeof *fresh + size);
  if (align > _Alignof(max_align_t) || fresh == NULL) __builtin_trap();
  fresh->next = notes;
  notes = fresh;
  return fresh->content;
}

static void give_back(void) {
  for (struct note *next; notes != NULL; notes = next) {
    next = notes->next;
    free(notes);
  }
}

/* What the adapter of WASI preview 1 keeps for itself, for good. */
__attribute__((export_name("cabi_realloc_adapter"))) void *cabi_realloc_adapter(
    void *old, uint32_t had, uint32_t align, uint32_t size) {
  (void)had;
  (void)align;
  return realloc(old, size);
}
#else
/* It is taken from the end of the program's own. */
extern char __heap_base;
static char *arena;

#define PAGE 65536

static void give_back(void) { arena = &__heap_base; }

static void *take(uint32_t align, uint32_t size) {
  uintptr_t begin = ((uintptr_t)arena + align - 1) & ~(uintptr_t)(align - 1);
  uintptr_t end = begin + size, have = __builtin_wasm_memory_size(0) * PAGE;
  if (end < begin || (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == (size_t)-1))
    __builtin_trap();
  arena = (char *)end;
  return (void *)begin;
}

#endif

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, uint32_t had, uint32_t align, uint32_t size) {
  if (landing != NULL && align == 1) return landing;
  char *fresh = take(align, size);
  __builtin_memcpy(fresh, old, had < size ? had : size);
  return fresh;
}

static const char *text_of(span from) {
  char *text = take(1, from.length + 1);
  __builtin_memcpy(text, from.at, from.length);
  text[from.length] = 0;
  return text;
}

const char *shallop_method(shallop_request *request) {
  static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  if (request->method == NULL) {
    outcome method = {0};
    request_method(request->own, &method);
    /* Only the first byte of the tag is written: a variant of fewer than 256 cases. */
    request->method = method.tag < 9 ? names[method.tag] : text_of(method.value.span);
  }
  return request->method;
}

static void split_target(shallop_request *request) {
  outcome target = {0};
  request_path_with_query(request->own, &target);
  char *path = target.tag == 0 ? "/" : (char *)text_of(target.value.span);
  request->path = path;
  while (*path != 0 && *path != '?') path++;
  request->query = *path == 0 ? "" : path + 1;
  if (*path == '?') *path = 0;
}

const char *shallop_path(shallop_request *request) {
  if (request->path == NULL) split_target(request);
  return request->path;
}

const char *shallop_query(shallop_request *request) {
  if (request->path == NULL) split_target(request);
  return request->query;
}

const char *shallop_parameter(shallop_request *request, const char *name) {
  const char *query = shallop_query(request);
  return query_value(query, name, take(1, text_length(query) + 1));
}

const char *shallop_header(shallop_request *request, const char *name) {
  if (request->headers < 0) request->headers = request_headers(request->own);
  span found;
  fields_get(request->headers, name, text_length(name), &found);
  const span *values = (const span *)found.at;
  uint32_t size = 0;
  for (uint32_t index = 0; index < found.length; index++) size += values[index].length + 2;
  if (size == 0) return NULL;
  char *text = take(1, size), *end = text;
  for (uint32_t index = 0; index < found.length; index++) {
    if (index > 0) *end++ = ',', *end++ = ' ';
    __builtin_memcpy(end, values[index].at, values[index].length);
    end += values[index].length;
  }
  *end = 0;
  return text;
}

/* Why a stream can go no further; the reason for a failure is a resource, which wants to be let go. */
static bool stream_failed(const uint32_t *error) {
  if (*(const uint8_t *)error != 0) return false;
  error_drop((handle)error[1]);
  return true;
}

static bool open_body(shallop_request *request) {
  outcome opened = {0};
  request_consume(request->own, &opened);
  if (opened.tag != 0) return false;
  request->body = opened.value.handle;
  incoming_body_stream(request->body, &opened);
  if (opened.tag != 0) return false;
  request->stream = opened.value.handle;
  return true;
}

ptrdiff_t shallop_read(shallop_request *request, void *buffer, size_t size) {
  if (size == 0) return 0;
  if (request->stream < 0 && !open_body(request)) return -1;
  outcome read;
  do {
    read.tag = 0;
    landing = buffer;
    input_blocking_read(request->stream, size, &read);
    landing = NULL;
    if (read.tag != 0) return stream_failed((uint32_t *)&read.value) ? -1 : 0;
  } while (read.value.span.length == 0);
  return (ptrdiff_t)read.value.span.length;
}

void shallop_status(shallop_response *response, int status) { response->status = status; }

static handle headers_of(shallop_response *response) {
  if (response->headers < 0) response->headers = fields_new();
  return response->headers;
}

void shallop_set_header(shallop_response *response, const char *name, const char *value) {
  outcome ignored;
  if (!response->sent)
    fields_append(headers_of(response), name, text_length(name), value, text_length(value), &ignored);
}

static void send_head(shallop_response *response) {
  outcome opened = {0};
  response->sent = true;
  handle own = response_new(headers_of(response));
  if (response->status != 200) response_set_status(own, (uint32_t)response->status);
  response_body(own, &opened);
  response->body = opened.value.handle;
  outparam_set(response->outparam, 0, own, 0, 0, 0, 0, 0, 0);
}

static int sent_or_gone(shallop_response *response, uint32_t tag, const void *error) {
  if ((uint8_t)tag == 0) return 0;
  response->gone = true;
  stream_failed(error);
  return -1;
}

/* WASI's own limit for one call of blocking-write-and-flush. */
#define AT_ONCE 4096

static int write_much(shallop_response *response, const char *bytes, size_t size) {
  outcome written = {0};
  while (size > 0) {
    sized_outcome room = {0};
    output_check_write(response->stream, &room);
    if (sent_or_gone(response, room.tag, &room.value) < 0) return -1;
    uint32_t part = room.value < size ? (uint32_t)room.value : (uint32_t)size;
    if (part > 0) output_write(response->stream, bytes, part, &written);
    else output_blocking_flush(response->stream, &written);
    if (sent_or_gone(response, written.tag, &written.value) < 0) return -1;
    bytes += part;
    size -= part;
  }
  output_blocking_flush(response->stream, &written);
  return sent_or_gone(response, written.tag, &written.value);
}

int shallop_write(shallop_response *response, const void *bytes, size_t size) {
  outcome opened = {0};
  if (!response->sent) send_head(response);
  if (response->gone) return -1;
  if (response->stream < 0) {
    outgoing_body_write(response->body, &opened);
    response->stream = opened.value.handle;
  }
  if (size > AT_ONCE) return write_much(response, bytes, size);
  output_blocking_write_and_flush(response->stream, bytes, size, &opened);
  return sent_or_gone(response, opened.tag, &opened.value);
}

int shallop_write_text(shallop_response *response, const char *text) {
  return shallop_write(response, text, text_length(text));
}

const char *shallop_environment(const char *name) {
  span all;
  environment_get(&all);
  const pair *pairs = (const pair *)all.at;
  for (uint32_t index = 0; index < all.length; index++)
    if (text_is(pairs[index].name.at, pairs[index].name.length, name)) return text_of(pairs[index].value);
  return NULL;
}

void shallop_log(const char *line) {
  outcome written = {0};
  handle stream = stderr_get();
  span text = {(char *)line, text_length(line)};
  char *whole = (char *)text_of(text);
  whole[text.length] = '\n';
  for (uint32_t at = 0; at <= text.length && (uint8_t)written.tag == 0; at += AT_ONCE) {
    uint32_t rest = text.length + 1 - at;
    output_blocking_write_and_flush(stream, whole + at, rest < AT_ONCE ? rest : AT_ONCE, &written);
  }
  if ((uint8_t)written.tag != 0) stream_failed((uint32_t *)&written.value);
  output_drop(stream);
}

/* Children are let go before what they belong to. */
static void finish(shallop_request *request, shallop_response *response) {
  finish_outcome ignored;
  if (!response->sent) send_head(response);
  if (response->stream >= 0) output_drop(response->stream);
  outgoing_body_finish(response->body, 0, 0, &ignored);
  if (request->stream >= 0) input_drop(request->stream);
  if (request->body >= 0) incoming_body_drop(request->body);
  if (request->headers >= 0) fields_drop(request->headers);
  request_drop(request->own);
}

__attribute__((export_name("wasi:http/incoming-handler" VERSION "#handle"))) void handle_request(
    handle own, handle outparam) {
  give_back();
  shallop_request request = {.own = own, .headers = -1, .body = -1, .stream = -1};
  shallop_response response = {.outparam = outparam, .headers = -1, .body = -1, .stream = -1, .status = 200};
  shallop_handle(&request, &response);
  finish(&request, &response);
}
