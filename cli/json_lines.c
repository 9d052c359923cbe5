/* json_lines.c - one JSON object per line on standard output (RFC 8259). Bytes that are not UTF-8, as in
 * file names, become U+FFFD. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "output.h"

/* Length of the UTF-8 sequence at `p`; 0 if it is invalid: overlong, a surrogate, past U+10FFFF, or cut. */
static int sequence(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    const int n = p[0] >= 0xC2 && p[0] <= 0xDF   ? 2
                  : (p[0] & 0xF0) == 0xE0        ? 3
                  : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4
                                                 : 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

static void put_text(const char *text)
{
    putchar('"');
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        const int n = sequence(p);
        if (n == 0) {
            fputs("\\ufffd", stdout);
            p++;
            continue;
        }
        if (*p == '"' || *p == '\\')
            printf("\\%c", *p);
        else if (*p < 0x20 || *p == 0x7F)
            printf("\\u%04x", *p);
        else
            fwrite(p, 1, (size_t)n, stdout);
        p += n;
    }
    putchar('"');
}

static void put_key(const char *key)
{
    putchar(',');
    put_text(key);
    putchar(':');
}

void cli_json_begin(const char *event)
{
    fputs("{\"event\":", stdout);
    put_text(event);
}

void cli_json_text(const char *key, const char *value)
{
    put_key(key);
    if (value)
        put_text(value);
    else
        fputs("null", stdout);
}

void cli_json_whole(const char *key, int64_t value)
{
    put_key(key);
    printf("%" PRId64, value);
}

void cli_json_real(const char *key, double value)
{
    put_key(key);
    if (isfinite(value))
        printf("%.9g", value);
    else
        fputs("null", stdout);
}

void cli_json_bool(const char *key, bool value)
{
    put_key(key);
    fputs(value ? "true" : "false", stdout);
}

void cli_json_hash(const char *key, uint64_t value)
{
    put_key(key);
    printf("\"%016" PRIx64 "\"", value);
}

void cli_json_wholes(const char *key, const int *values, int n)
{
    put_key(key);
    for (int i = 0; i < n; i++)
        printf("%c%d", i ? ',' : '[', values[i]);
    fputs(n ? "]" : "[]", stdout);
}

void cli_json_reals(const char *key, const float *values, int n)
{
    put_key(key);
    putchar('[');
    for (int i = 0; i < n; i++) {
        if (i)
            putchar(',');
        if (isfinite(values[i]))
            printf("%.6g", (double)values[i]);
        else
            fputs("null", stdout);
    }
    putchar(']');
}

void cli_json_end(void)
{
    fputs("}\n", stdout);
    cli_output_lost(); /* flushes, and keeps the reason where that fails */
}
