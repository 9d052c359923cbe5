/* option_values.c - parses and shows the values of options. Parsing is strict: whole numbers consist of
 * digits, no blanks, no hexadecimal, no infinities, no trailing characters, and always within the range. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

static bool read_digits(const char *text, uint64_t *out)
{
    if (!*text || strlen(text) > 20)
        return false;
    for (const char *p = text; *p; p++)
        if (*p < '0' || *p > '9')
            return false;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0;
}

bool cli_read_count(const char *text, int low, int high, int *out)
{
    uint64_t value;
    if (!read_digits(text, &value) || value > (uint64_t)high || (int64_t)value < low)
        return false;
    *out = (int)value;
    return true;
}

static bool read_real(const char *text, double low, double high, double *out)
{
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    char *end;
    const double value = strtod(text, &end);
    if (*end || !isfinite(value) || value < low || value > high)
        return false;
    *out = value;
    return true;
}

static bool read_list(const char *text, int low, int high, cli_list *out)
{
    cli_list list = {.n = 0};
    for (const char *p = text;;) {
        const size_t length = strcspn(p, ",");
        char word[16];
        if (length == 0 || length >= sizeof word || list.n == CLI_LIST_MAX)
            return false;
        memcpy(word, p, length);
        word[length] = '\0';
        if (!cli_read_count(word, low, high, &list.values[list.n++]))
            return false;
        if (!p[length])
            break;
        p += length + 1;
    }
    *out = list;
    return true;
}

static bool read_choice(const char *text, const char *const *choices, int *out)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* "2G" */
static bool read_bytes(const char *text, size_t *out)
{
    static const char units[] = "KMG";
    char digits[16];
    int count;
    const size_t n = strspn(text, "0123456789");
    const char *const unit = text[n] ? strchr(units, text[n]) : NULL;
    if (n == 0 || n >= sizeof digits || (text[n] && (!unit || text[n + 1])))
        return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (!cli_read_count(digits, 1, INT_MAX, &count))
        return false;
    *out = (size_t)count << (unit ? 10 * (unit - units + 1) : 0);
    return true;
}

/* "a whole number from 1 to 1000" */
static void say_range(const cli_option *option, char *text, size_t text_bytes)
{
    const double low = option->low, high = option->high;
    switch (option->kind) {
    case CLI_COUNT:
        snprintf(text, text_bytes, "a whole number from %.0f to %.0f", low, high);
        break;
    case CLI_BATCH:
        snprintf(text, text_bytes, "a whole number from %.0f to %.0f or \"all\"", low, high);
        break;
    case CLI_REAL:
        snprintf(text, text_bytes, "a number from %.10g to %.10g", low, high);
        break;
    case CLI_SEED:
        snprintf(text, text_bytes, "a whole number from 0 to %" PRIu64, UINT64_MAX);
        break;
    case CLI_BYTES:
        snprintf(text, text_bytes, "a number of bytes, as 500M or 2G");
        break;
    case CLI_LIST:
        snprintf(text, text_bytes, "up to %d whole numbers from %.0f to %.0f with commas between",
                 CLI_LIST_MAX, low, high);
        break;
    case CLI_CHOICE:
        snprintf(text, text_bytes, "one of");
        for (int i = 0; option->choices[i]; i++) {
            const size_t used = strlen(text);
            snprintf(text + used, text_bytes - used, "%s %s", i ? "," : "", option->choices[i]);
        }
        break;
    default:
        snprintf(text, text_bytes, "a text that is not empty");
        break;
    }
}

bool cli_read_value(const cli_option *option, const char *text, cli_args *args, char *why, size_t why_bytes)
{
    void *place = (char *)args + option->place;
    const int low = option->low > 0 ? (int)option->low : 0;
    const int high = option->high < INT_MAX ? (int)option->high : INT_MAX;
    bool ok = false;
    switch (option->kind) {
    case CLI_FLAG:
    case CLI_TRAINING:
        break;
    case CLI_TEXT:
        ok = *text != '\0';
        if (ok)
            *(const char **)place = text;
        break;
    case CLI_COUNT:
        ok = cli_read_count(text, low, high, place);
        break;
    case CLI_BATCH:
        ok = strcmp(text, "all") == 0;
        if (ok)
            *(int *)place = 0;
        else
            ok = cli_read_count(text, low, high, place);
        break;
    case CLI_REAL:
        ok = read_real(text, option->low, option->high, place);
        break;
    case CLI_SEED:
        ok = read_digits(text, place);
        break;
    case CLI_BYTES:
        ok = read_bytes(text, place);
        break;
    case CLI_CHOICE:
        ok = read_choice(text, option->choices, place);
        break;
    case CLI_LIST:
        ok = read_list(text, low, high, place);
        break;
    }
    if (!ok) {
        char range[256];
        say_range(option, range, sizeof range);
        snprintf(why, why_bytes, "--%s takes %s, found \"%s\"", option->name, range, text);
    }
    return ok;
}

/* The shortest decimal that reads back as the same number, so that equal texts are equal values. */
static void show_real(double value, char *text, size_t text_bytes)
{
    double back;
    int digits = 1;
    do
        snprintf(text, text_bytes, "%.*g", digits, value);
    while (digits++ < 17 && (!read_real(text, -INFINITY, INFINITY, &back) || back != value));
}

void cli_show_value(const cli_option *option, const cli_args *args, char *text, size_t text_bytes)
{
    const void *place = (const char *)args + option->place;
    text[0] = '\0';
    switch (option->kind) {
    case CLI_FLAG:
    case CLI_TRAINING:
        break;
    case CLI_TEXT:
        snprintf(text, text_bytes, "%s", *(const char *const *)place ? *(const char *const *)place : "");
        break;
    case CLI_BATCH:
        if (*(const int *)place == 0) {
            snprintf(text, text_bytes, "all");
            break;
        } /* fall through */
    case CLI_COUNT:
        snprintf(text, text_bytes, "%d", *(const int *)place);
        break;
    case CLI_REAL:
        show_real(*(const double *)place, text, text_bytes);
        break;
    case CLI_SEED:
        snprintf(text, text_bytes, "%" PRIu64, *(const uint64_t *)place);
        break;
    case CLI_BYTES:
        snprintf(text, text_bytes, "%zu", *(const size_t *)place);
        break;
    case CLI_CHOICE:
        snprintf(text, text_bytes, "%s", option->choices[*(const int *)place]);
        break;
    case CLI_LIST: {
        const cli_list *list = place;
        size_t used = 0;
        for (int i = 0; i < list->n && used < text_bytes; i++)
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%d", i ? "," : "", list->values[i]);
        break;
    }
    }
}
