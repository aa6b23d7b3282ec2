/*
 * The functions of WASI 0.2 that wasi.c calls, as the canonical ABI lowers them: a text or a list is an address and a
 * length, a resource a number, and what does not fit into one number comes back through an address given last.
 * https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md
 */
#ifndef SHALLOP_WASI_H
#define SHALLOP_WASI_H

#include <stdint.h>

#define VERSION "@0.2.10"
#define HTTP "wasi:http/types" VERSION
#define STREAMS "wasi:io/streams" VERSION
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern

typedef int32_t handle;

typedef struct {
  char *at;
  uint32_t length;
} span;

/* Several results: a tag that says which (0 is the first), and at `value` what it carries. */
typedef struct {
  uint32_t tag;
  union {
    handle handle;
    span span;
  } value;
} outcome;

/* result<u64, stream-error> */
typedef struct {
  uint32_t tag;
  uint64_t value;
  uint32_t rest;
} sized_outcome;

/* result<_, error-code>, the largest result there is; nobody looks into it. */
typedef struct {
  uint64_t words[6];
} finish_outcome;

typedef struct {
  span name, value;
} pair;

IMPORT(HTTP, "[method]incoming-request.method") void request_method(handle, outcome *);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path_with_query(handle, outcome *);
IMPORT(HTTP, "[method]incoming-request.headers") handle request_headers(handle);
IMPORT(HTTP, "[method]incoming-request.consume") void request_consume(handle, outcome *);
IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(handle);
IMPORT(HTTP, "[method]incoming-body.stream") void incoming_body_stream(handle, outcome *);
IMPORT(HTTP, "[resource-drop]incoming-body") void incoming_body_drop(handle);

IMPORT(HTTP, "[constructor]fields") handle fields_new(void);
IMPORT(HTTP, "[method]fields.get") void fields_get(handle, const char *, uint32_t, span *);
IMPORT(HTTP, "[method]fields.append")
void fields_append(handle, const char *, uint32_t, const char *, uint32_t, outcome *);
IMPORT(HTTP, "[resource-drop]fields") void fields_drop(handle);

IMPORT(HTTP, "[constructor]outgoing-response") handle response_new(handle headers);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") uint32_t response_set_status(handle, uint32_t);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(handle, outcome *);
/* The second number says that it is a response (0) or an error (1); what follows is the error's. */
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(handle, uint32_t, handle, uint32_t, uint64_t, uint32_t, uint32_t, uint32_t, uint32_t);
IMPORT(HTTP, "[method]outgoing-body.write") void outgoing_body_write(handle, outcome *);
IMPORT(HTTP, "[static]outgoing-body.finish") void outgoing_body_finish(handle, uint32_t, handle, finish_outcome *);

IMPORT(STREAMS, "[method]input-stream.blocking-read") void input_blocking_read(handle, uint64_t, outcome *);
IMPORT(STREAMS, "[resource-drop]input-stream") void input_drop(handle);
IMPORT(STREAMS, "[method]output-stream.check-write") void output_check_write(handle, sized_outcome *);
IMPORT(STREAMS, "[method]output-stream.write") void output_write(handle, const char *, uint32_t, outcome *);
IMPORT(STREAMS, "[method]output-stream.blocking-flush") void output_blocking_flush(handle, outcome *);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void output_blocking_write_and_flush(handle, const char *, uint32_t, outcome *);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_drop(handle);
IMPORT("wasi:io/error" VERSION, "[resource-drop]error") void error_drop(handle);

IMPORT("wasi:cli/environment" VERSION, "get-environment") void environment_get(span *);
IMPORT("wasi:cli/stderr" VERSION, "get-stderr") handle stderr_get(void);

#endif
