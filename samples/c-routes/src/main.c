#include <shallop.h>
#include <stdio.h>
#include <string.h>

/* Says hello, and to whom. */
static void hello(shallop_request *request, shallop_response *response) {
  const char *name = shallop_parameter(request, "name");
  char line[256];
  snprintf(line, sizeof line, "hello, %s\n", name == NULL ? "world" : name);
  shallop_set_header(response, "content-type", "text/plain; charset=utf-8");
  shallop_write_text(response, line);
}

/* Tells what it was asked. */
static void about(shallop_request *request, shallop_response *response) {
  const char *greeting = shallop_header(request, "x-greeting");
  char text[4096];
  snprintf(text, sizeof text, "%s %s\nquery: %s\nx-greeting: %s\n", shallop_method(request), shallop_path(request),
           shallop_query(request), greeting == NULL ? "" : greeting);
  shallop_set_header(response, "content-type", "text/plain; charset=utf-8");
  shallop_set_header(response, "x-language", "C");
  shallop_write_text(response, text);
}

/* Gives the body back piece by piece, as it comes. */
static void echo(shallop_request *request, shallop_response *response) {
  const char *type = shallop_header(request, "content-type");
  char piece[8192];
  ptrdiff_t size;
  shallop_status(response, 201);
  shallop_set_header(response, "content-type", type == NULL ? "application/octet-stream" : type);
  while ((size = shallop_read(request, piece, sizeof piece)) > 0) {
    if (shallop_write(response, piece, (size_t)size) < 0) return;
  }
}

void shallop_handle(shallop_request *request, shallop_response *response) {
  const char *path = shallop_path(request);
  if (strcmp(path, "/") == 0) return hello(request, response);
  if (strcmp(path, "/about") == 0) return about(request, response);
  if (strcmp(path, "/echo") == 0 && strcmp(shallop_method(request), "POST") == 0) return echo(request, response);
  shallop_status(response, 404);
  shallop_write_text(response, "there is no such page\n");
}
