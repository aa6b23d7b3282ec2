/* What wasi.c and native.c need of texts, without a C library. */
#ifndef SHALLOP_TEXT_H
#define SHALLOP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

static inline size_t text_length(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

/* Whether `size` bytes are this text. */
static inline bool text_is(const char *bytes, size_t size, const char *text) {
  size_t at = 0;
  while (at < size && text[at] != 0 && bytes[at] == text[at]) at++;
  return at == size && text[at] == 0;
}

static inline int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if ((digit | 32) >= 'a' && (digit | 32) <= 'f') return (digit | 32) - 'a' + 10;
  return -1;
}

/* Decodes a part of a query, "a+b%21" to "a b!", to `to`, which has at least as much room. Returns the length. */
static inline size_t query_decode(const char *from, size_t size, char *to) {
  size_t length = 0;
  for (size_t at = 0; at < size; at++, length++) {
    bool escaped = from[at] == '%' && at + 2 < size && hex_digit(from[at + 1]) >= 0 && hex_digit(from[at + 2]) >= 0;
    if (escaped) {
      to[length] = (char)(hex_digit(from[at + 1]) * 16 + hex_digit(from[at + 2]));
      at += 2;
    } else {
      to[length] = from[at] == '+' ? ' ' : from[at];
    }
  }
  return length;
}

/* The decoded value of `name` in a query, ended by a zero byte; NULL when it is not there. `room` holds a whole query. */
static inline const char *query_value(const char *query, const char *name, char *room) {
  for (const char *at = query; *at != 0;) {
    size_t size = 0, equals = 0;
    while (at[size] != 0 && at[size] != '&') size++;
    while (equals < size && at[equals] != '=') equals++;
    if (text_is(room, query_decode(at, equals, room), name)) {
      size_t begin = equals < size ? equals + 1 : size;
      room[query_decode(at + begin, size - begin, room)] = 0;
      return room;
    }
    at += at[size] == 0 ? size : size + 1;
  }
  return NULL;
}

#endif
