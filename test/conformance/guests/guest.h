// What a guest of the asynchronous ABI is made of, without a C library: the built-ins of the component model, their codes
// (CanonicalABI.md), and memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef int32_t handle;

// What a callback says: it has ended, or it waits for something in a set.
enum { EXIT = 0, YIELD = 1, WAIT = 2 };
// What a callback is told.
enum { NONE, SUBTASK, STREAM_READ, STREAM_WRITE, FUTURE_READ, FUTURE_WRITE, TASK_CANCELLED };
// What became of a copy, beside the number of items; and a copy that has to be waited for.
enum { COMPLETED, DROPPED, CANCELLED };
#define BLOCKED 0xffffffffu
// The state of a call.
enum { STARTING, STARTED, RETURNED };

IMPORT("$root", "[waitable-set-new]") handle set_new(void);
IMPORT("$root", "[waitable-set-drop]") void set_drop(handle);
IMPORT("$root", "[waitable-join]") void join(handle waitable, handle set);
IMPORT("$root", "[subtask-drop]") void subtask_drop(handle);
IMPORT("$root", "[context-get-0]") void *context_get(void);
IMPORT("$root", "[context-set-0]") void context_set(void *);

// Both ends of a new stream or future come in one number.
#define READABLE(pair) ((handle)(pair))
#define WRITABLE(pair) ((handle)((uint64_t)(pair) >> 32))

static size_t length_of(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

static int starts_with(const char *text, size_t length, const char *prefix) {
  size_t index = 0;
  for (; prefix[index]; index++)
    if (index >= length || text[index] != prefix[index]) return 0;
  return 1;
}

static char *append(char *to, const char *text) {
  while (*text) *to++ = *text++;
  return to;
}

static char *append_number(char *to, uint32_t number) {
  char digits[10];
  int count = 0;
  do digits[count++] = '0' + number % 10; while (number /= 10);
  while (count) *to++ = digits[--count];
  return to;
}

static uint32_t parse_number(const char *text, size_t length) {
  uint32_t number = 0;
  for (size_t index = 0; index < length && text[index] >= '0' && text[index] <= '9'; index++)
    number = number * 10 + (text[index] - '0');
  return number;
}

// Taken from the front; given back all at once, when nothing is under way.
static char arena[1 << 20];
static size_t arena_used;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t alignment, size_t size) {
  (void)old, (void)old_size;
  arena_used = (arena_used + alignment - 1) & ~(alignment - 1);
  void *place = arena + arena_used;
  arena_used += size;
  if (arena_used > sizeof arena) __builtin_trap();
  return place;
}

// clang makes calls of these.
void *memcpy(void *to, const void *from, size_t size) {
  for (size_t index = 0; index < size; index++) ((char *)to)[index] = ((const char *)from)[index];
  return to;
}

void *memset(void *to, int value, size_t size) {
  for (size_t index = 0; index < size; index++) ((char *)to)[index] = (char)value;
  return to;
}
