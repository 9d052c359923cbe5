/* utf8.h - UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF). */
#ifndef FV_BASE_UTF8_H
#define FV_BASE_UTF8_H

#include "base/exact.h"

#include <stdbool.h>
#include <stddef.h>

/* The bytes of the character at `text`, of which n >= 1 bytes are available; 0 if they are not UTF-8. */
size_t fv__utf8_length(const void *text, size_t n);
bool fv__is_utf8(const char *text);

#endif
