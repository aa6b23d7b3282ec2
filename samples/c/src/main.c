#include <shallop.h>

/* The smallest component there is: what the engine itself costs can be measured with it. */
void shallop_handle(shallop_request *request, shallop_response *response) {
  (void)request;
  shallop_set_header(response, "content-type", "text/plain");
  shallop_write_text(response, "hello, world\n");
}
