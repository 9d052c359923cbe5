/* utf8.c - the length of a UTF-8 character, and whether a text is UTF-8. */
#include "base/utf8.h"

#include <string.h>

size_t fv__utf8_length(const void *text, size_t n)
{
    const unsigned char *const s = text;
    if (s[0] < 0x80)
        return 1;
    size_t length = 0;
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        length = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        length = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        length = 4;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (length == 0 || length > n || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return length;
}

bool fv__is_utf8(const char *text)
{
    size_t n = strlen(text), length;
    for (; n > 0; n -= length, text += length) {
        length = fv__utf8_length(text, n);
        if (length == 0)
            return false;
    }
    return true;
}
