/*
 * shallop.h as a program that answers HTTP/1.1 on $PORT until SIGTERM: a thread a connection. It stands behind a gateway,
 * which speaks TLS and HTTP/2 and takes care of slow clients.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shallop.h"
#include "text.h"

/* A request's line and headers, and a line of a chunked body: what gateways send at most, twice. */
#define HEAD_MAX (128 * 1024)
#define HEADERS_MAX 256
/* What a handler leaves of a body is read and thrown away, so that the connection can be used again; beyond it is closed. */
#define LEFT_MAX (1024 * 1024)
/* A thread has a stack and a head's room: together a gigabyte at most. */
#define CONNECTIONS_MAX 1024
#define STACK_SIZE (512 * 1024)
/* A connection that says nothing for so long is closed; one that is answered is given so long to end at SIGTERM. */
#define IDLE_SECONDS 90
#define DRAIN_SECONDS 10

typedef struct {
  int socket;
  char *buffer;
  size_t begin, end;
} connection;

typedef struct {
  const char *name, *value;
} header;

/* Memory that is kept until the request is over. */
typedef struct note {
  struct note *next;
  char text[];
} note;

struct shallop_request {
  connection *from;
  const char *method, *path, *query;
  header headers[HEADERS_MAX];
  size_t header_count;
  note *notes;
  bool old, chunked, expects, broken;
  /* Of the body, or of its chunk. */
  unsigned long long left;
  enum { CHUNK_FIRST, CHUNK_NEXT, BODY_ENDED } chunk;
};

struct shallop_response {
  shallop_request *request;
  int status;
  char *headers;
  size_t size;
  /* What the handler has said of the body's length, and what it has sent. */
  unsigned long long length, written;
  bool has_length, sent, gone, chunked, bodiless;
};

static sem_t places;
static bool ending;
static int busy;

/* More bytes from the client, into the buffer: how many, 0 at the end, -1 when there is no room or it broke off. */
static ssize_t fill(connection *from) {
  if (from->begin > 0) {
    memmove(from->buffer, from->buffer + from->begin, from->end - from->begin);
    from->end -= from->begin;
    from->begin = 0;
  }
  if (from->end == HEAD_MAX) return -1;
  ssize_t got;
  do got = recv(from->socket, from->buffer + from->end, HEAD_MAX - from->end, 0);
  while (got < 0 && errno == EINTR);
  if (got > 0) from->end += (size_t)got;
  return got;
}

static bool send_all(connection *to, const void *bytes, size_t size, int flags) {
  const char *at = bytes;
  while (size > 0) {
    ssize_t sent = send(to->socket, at, size, MSG_NOSIGNAL | flags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    size -= (size_t)sent;
  }
  return true;
}

/* The next line, ended by a zero byte instead of its line end; NULL when the client broke off or it is too long. */
static char *read_line(connection *from) {
  for (size_t seen = 0;;) {
    char *line = from->buffer + from->begin, *end = memchr(line + seen, '\n', from->end - from->begin - seen);
    if (end != NULL) {
      from->begin = (size_t)(end + 1 - from->buffer);
      if (end > line && end[-1] == '\r') end--;
      *end = 0;
      return line;
    }
    seen = from->end - from->begin;
    if (fill(from) <= 0) return NULL;
  }
}

static char *keep(shallop_request *request, size_t size) {
  note *fresh = malloc(sizeof(note) + size);
  if (fresh == NULL) abort();
  fresh->next = request->notes;
  request->notes = fresh;
  return fresh->text;
}

static const char *keep_text(shallop_request *request, const char *text) { return strcpy(keep(request, strlen(text) + 1), text); }

static bool has_token(const char *list, const char *token) { return list != NULL && strcasestr(list, token) != NULL; }

/* Reads the line "GET /path HTTP/1.1". */
static bool read_request_line(shallop_request *request, char *line) {
  char *rest, *method = strtok_r(line, " ", &rest), *target = strtok_r(NULL, " ", &rest);
  const char *version = strtok_r(NULL, " ", &rest);
  if (version == NULL || strncmp(version, "HTTP/1.", 7) != 0) return false;
  request->old = strcmp(version, "HTTP/1.0") == 0;
  request->method = keep_text(request, method);
  char *path = (char *)keep_text(request, target), *query = strchr(path, '?');
  if (query != NULL) *query++ = 0;
  request->path = path;
  request->query = query == NULL ? "" : query;
  return true;
}

static bool read_header_line(shallop_request *request, char *line) {
  char *colon = strchr(line, ':');
  if (colon == NULL || colon == line || request->header_count == HEADERS_MAX) return false;
  *colon = 0;
  char *value = colon + 1, *end = value + strlen(value);
  while (*value == ' ' || *value == '\t') value++;
  while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
  *end = 0;
  header *fresh = &request->headers[request->header_count++];
  fresh->name = keep_text(request, line);
  fresh->value = keep_text(request, value);
  return true;
}

/* How long the body is; false when that is said in two ways or cannot be. */
static bool read_framing(shallop_request *request) {
  const char *coding = shallop_header(request, "transfer-encoding"), *length = shallop_header(request, "content-length");
  char *end = NULL;
  request->expects = has_token(shallop_header(request, "expect"), "100-continue");
  if (coding != NULL) {
    request->chunked = true;
    return length == NULL && strcasecmp(coding, "chunked") == 0;
  }
  request->chunk = BODY_ENDED;
  if (length == NULL) return true;
  request->left = strtoull(length, &end, 10);
  return *length >= '0' && *length <= '9' && *end == 0;
}

/* 1 when there is a request, 0 when the client has no more, -1 when it is none. */
static int read_head(shallop_request *request) {
  char *line = read_line(request->from);
  if (line == NULL) return request->from->end == HEAD_MAX ? -1 : 0;
  if (!read_request_line(request, line)) return -1;
  for (size_t total = 0;;) {
    line = read_line(request->from);
    if (line == NULL || (total += strlen(line)) > HEAD_MAX) return -1;
    if (*line == 0) return read_framing(request) ? 1 : -1;
    if (!read_header_line(request, line)) return -1;
  }
}

const char *shallop_method(shallop_request *request) { return request->method; }
const char *shallop_path(shallop_request *request) { return request->path; }
const char *shallop_query(shallop_request *request) { return request->query; }

const char *shallop_parameter(shallop_request *request, const char *name) {
  return query_value(request->query, name, keep(request, strlen(request->query) + 1));
}

const char *shallop_header(shallop_request *request, const char *name) {
  const char *found = NULL;
  for (size_t at = 0; at < request->header_count; at++) {
    const header *one = &request->headers[at];
    if (strcasecmp(one->name, name) != 0) continue;
    if (found == NULL) found = one->value;
    else {
      char *both = keep(request, strlen(found) + strlen(one->value) + 3);
      strcat(strcat(strcpy(both, found), ", "), one->value);
      found = both;
    }
  }
  return found;
}

/* Begins the next chunk of a chunked body; its trailers are read and forgotten. */
static bool next_chunk(shallop_request *request) {
  char *line, *end;
  if (request->chunk == CHUNK_NEXT && ((line = read_line(request->from)) == NULL || *line != 0)) return false;
  if ((line = read_line(request->from)) == NULL || hex_digit(*line) < 0) return false;
  request->left = strtoull(line, &end, 16);
  if (*end != 0 && *end != ';' && *end != ' ') return false;
  request->chunk = CHUNK_NEXT;
  if (request->left > 0) return true;
  request->chunk = BODY_ENDED;
  do line = read_line(request->from);
  while (line != NULL && *line != 0);
  return line != NULL;
}

ptrdiff_t shallop_read(shallop_request *request, void *buffer, size_t size) {
  connection *from = request->from;
  if (request->broken) return -1;
  if (request->expects) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    send_all(from, go_on, sizeof go_on - 1, 0);
    request->expects = false;
  }
  if (request->left == 0 && request->chunk != BODY_ENDED && !next_chunk(request)) request->broken = true;
  if (request->broken) return -1;
  if (request->left == 0 || size == 0) return 0;
  if (from->begin == from->end && fill(from) <= 0) {
    request->broken = true;
    return -1;
  }
  size_t part = from->end - from->begin;
  if (part > size) part = size;
  if (part > request->left) part = request->left;
  memcpy(buffer, from->buffer + from->begin, part);
  from->begin += part;
  request->left -= part;
  return (ptrdiff_t)part;
}

void shallop_status(shallop_response *response, int status) { response->status = status; }

static void add_text(shallop_response *response, const char *text) {
  size_t size = strlen(text);
  response->headers = realloc(response->headers, response->size + size + 1);
  if (response->headers == NULL) abort();
  memcpy(response->headers + response->size, text, size + 1);
  response->size += size;
}

void shallop_set_header(shallop_response *response, const char *name, const char *value) {
  /* A line end would begin another header. */
  if (response->sent || *name == 0 || strpbrk(name, "\r\n: ") != NULL || strpbrk(value, "\r\n") != NULL) return;
  if (strcasecmp(name, "transfer-encoding") == 0 || strcasecmp(name, "connection") == 0) return;
  if (strcasecmp(name, "content-length") == 0) {
    response->has_length = true;
    response->length = strtoull(value, NULL, 10);
  }
  add_text(response, name);
  add_text(response, ": ");
  add_text(response, value);
  add_text(response, "\r\n");
}

static bool keeps_alive(const shallop_response *response) {
  shallop_request *request = response->request;
  bool framed = response->has_length || response->chunked || response->bodiless;
  return !__atomic_load_n(&ending, __ATOMIC_RELAXED) && framed && !request->old && !has_token(shallop_header(request, "connection"), "close");
}

static void send_head(shallop_response *response, bool whole) {
  char line[64];
  int status = response->status;
  response->sent = true;
  response->bodiless = status == 204 || status == 304 || strcmp(response->request->method, "HEAD") == 0;
  if (!response->has_length && !response->bodiless) {
    if (whole) {
      response->has_length = true;
      add_text(response, "content-length: 0\r\n");
    } else if (!response->request->old) {
      response->chunked = true;
      add_text(response, "transfer-encoding: chunked\r\n");
    }
  }
  add_text(response, keeps_alive(response) ? "\r\n" : "connection: close\r\n\r\n");
  /* The reason phrase is left out, as RFC 9112, section 4, allows. */
  int size = snprintf(line, sizeof line, "HTTP/1.1 %d \r\n", status);
  response->gone = !send_all(response->request->from, line, (size_t)size, MSG_MORE) ||
                   !send_all(response->request->from, response->headers, response->size, whole ? 0 : MSG_MORE);
}

int shallop_write(shallop_response *response, const void *bytes, size_t size) {
  connection *to = response->request->from;
  char line[32];
  if (!response->sent) send_head(response, false);
  if (response->gone) return -1;
  if (response->bodiless || size == 0) return 0;
  int length = response->chunked ? snprintf(line, sizeof line, "%zx\r\n", size) : 0;
  bool sent = send_all(to, line, (size_t)length, MSG_MORE) && send_all(to, bytes, size, response->chunked ? MSG_MORE : 0) &&
              (!response->chunked || send_all(to, "\r\n", 2, 0));
  response->gone = !sent;
  response->written += size;
  return sent ? 0 : -1;
}

int shallop_write_text(shallop_response *response, const char *text) { return shallop_write(response, text, strlen(text)); }

const char *shallop_environment(const char *name) { return getenv(name); }

void shallop_log(const char *line) { fprintf(stderr, "%s\n", line); }

/* Whether the connection can be used again. */
static bool finish(shallop_request *request, shallop_response *response) {
  char rest[4096];
  size_t thrown = 0;
  if (!response->sent) send_head(response, true);
  if (!response->gone && response->chunked) response->gone = !send_all(request->from, "0\r\n\r\n", 5, 0);
  if (response->gone || !keeps_alive(response) || request->expects) return false;
  if (response->has_length && !response->bodiless && response->written != response->length) return false;
  for (;;) {
    ptrdiff_t got = shallop_read(request, rest, sizeof rest);
    if (got <= 0) return got == 0;
    if ((thrown += (size_t)got) > LEFT_MAX) return false;
  }
}

/* One request of a connection. False when it was the last. */
static bool answer(connection *from) {
  shallop_request *request = calloc(1, sizeof *request);
  if (request == NULL) return false;
  request->from = from;
  shallop_response response = {.request = request, .status = 200};
  int read = read_head(request);
  bool again = false;
  if (read > 0) {
    __atomic_add_fetch(&busy, 1, __ATOMIC_SEQ_CST);
    shallop_handle(request, &response);
    again = finish(request, &response);
    __atomic_sub_fetch(&busy, 1, __ATOMIC_SEQ_CST);
  } else if (read < 0) {
    static const char bad[] = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    send_all(from, bad, sizeof bad - 1, 0);
  }
  free(response.headers);
  for (note *next; request->notes != NULL; request->notes = next) {
    next = request->notes->next;
    free(request->notes);
  }
  free(request);
  return again;
}

static void *serve(void *given) {
  struct timeval idle = {.tv_sec = IDLE_SECONDS};
  int on = 1;
  setsockopt((int)(intptr_t)given, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
  setsockopt((int)(intptr_t)given, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connection from = {.socket = (int)(intptr_t)given, .buffer = malloc(HEAD_MAX)};
  while (from.buffer != NULL && answer(&from)) continue;
  free(from.buffer);
  close(from.socket);
  sem_post(&places);
  return NULL;
}

static int listen_on(int port) {
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int on = 1, off = 0, listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool six = listener >= 0;
  if (!six) listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (six) setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  const struct sockaddr *address = six ? (struct sockaddr *)&any : (struct sockaddr *)&any4;
  if (bind(listener, address, six ? sizeof any : sizeof any4) < 0 || listen(listener, 1024) < 0) {
    perror("cannot listen on $PORT");
    exit(1);
  }
  return listener;
}

static void start_thread(void *(*run)(void *), int socket) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (pthread_create(&thread, &attributes, run, (void *)(intptr_t)socket) != 0) {
    close(socket);
    sem_post(&places);
  }
  pthread_attr_destroy(&attributes);
}

static void *accept_all(void *given) {
  for (;;) {
    sem_wait(&places);
    int socket = accept4((int)(intptr_t)given, NULL, NULL, SOCK_CLOEXEC);
    if (socket >= 0) start_thread(serve, socket);
    else sem_post(&places);
  }
  return NULL;
}

int main(void) {
  const char *port = getenv("PORT");
  sigset_t ends;
  int signal;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  /* Threads inherit it: the signal waits for this one. */
  pthread_sigmask(SIG_BLOCK, &ends, NULL);
  sem_init(&places, 0, CONNECTIONS_MAX);
  start_thread(accept_all, listen_on(port == NULL ? 8080 : atoi(port)));
  sigwait(&ends, &signal);
  __atomic_store_n(&ending, true, __ATOMIC_RELAXED);
  for (int tenth = 0; tenth < DRAIN_SECONDS * 10 && __atomic_load_n(&busy, __ATOMIC_SEQ_CST) > 0; tenth++) usleep(100000);
  return 0;
}
