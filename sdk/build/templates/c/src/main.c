#include <shallop.h>

/* Answers one request: the name in the query is greeted, and what is posted comes back. */
void shallop_handle(shallop_request *request, shallop_response *response) {
  const char *name = shallop_parameter(request, "name");
  char piece[4096];
  ptrdiff_t size;
  shallop_set_header(response, "content-type", "text/plain; charset=utf-8");
  if (shallop_method(request)[0] == 'P') {
    while ((size = shallop_read(request, piece, sizeof piece)) > 0) shallop_write(response, piece, (size_t)size);
    return;
  }
  shallop_write_text(response, "hello, ");
  shallop_write_text(response, name == NULL ? "world" : name);
  shallop_write_text(response, "\n");
}
