/*
 * Answers HTTP requests in C: as a WebAssembly component (WASI 0.2), and as a native program from the same source.
 * Write one function, shallop_handle(); `shallop build` compiles the rest with it. No C library is needed.
 *
 * Texts end with a zero byte. What these functions return lives until shallop_handle() returns.
 */
#ifndef SHALLOP_H
#define SHALLOP_H

#include <stddef.h>

typedef struct shallop_request shallop_request;
typedef struct shallop_response shallop_response;

/* Yours: answers one request. A response that it says nothing about is 200 without a body. */
void shallop_handle(shallop_request *request, shallop_response *response);

/* "GET", "POST", … */
const char *shallop_method(shallop_request *request);
/* "/a/b%20c", as the client sent it, without the query. */
const char *shallop_path(shallop_request *request);
/* What follows the question mark, as the client sent it; "" when there is none. */
const char *shallop_query(shallop_request *request);
/* A value of the query, decoded; NULL when it is not there. */
const char *shallop_parameter(shallop_request *request, const char *name);
/* A header's value, in any case of letters; several are joined with ", ". NULL when it is not there. */
const char *shallop_header(shallop_request *request, const char *name);
/* The next bytes of the body, waiting for at least one: how many, 0 at the end, -1 when the client broke off. */
ptrdiff_t shallop_read(shallop_request *request, void *buffer, size_t size);

/* 200 unless set. Status and headers leave with the first byte of the body: later calls change nothing. */
void shallop_status(shallop_response *response, int status);
/* Adds a header. */
void shallop_set_header(shallop_response *response, const char *name, const char *value);
/* Sends bytes of the body now, waiting while the client is slow: 0, or -1 when the client has gone. */
int shallop_write(shallop_response *response, const void *bytes, size_t size);
/* The same for a text. */
int shallop_write_text(shallop_response *response, const char *text);

/* A variable of the environment; NULL when it is not set. */
const char *shallop_environment(const char *name);
/* A line in the log. */
void shallop_log(const char *line);

#endif
