/* json_reader.h - steps over one JSON value; NULL where there is none. Takes what the command writes (no
 * blanks between tokens) and refuses everything that RFC 8259 does. */
#ifndef JSON_READER_H
#define JSON_READER_H

#include <string.h>

static inline const char *json_skip_value(const char *p);

static inline const char *json_skip_string(const char *p)
{
    if (*p++ != '"')
        return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p == '\\') {
            p++;
            if (*p == 'u' && strspn(p + 1, "0123456789abcdefABCDEF") >= 4)
                p += 4;
            else if (!*p || !strchr("\"\\/bfnrt", *p))
                return NULL;
        }
    }
    return p + 1;
}

static inline const char *json_skip_number(const char *p)
{
    p += *p == '-';
    const size_t whole = strspn(p, "0123456789");
    if (!whole || (whole > 1 && *p == '0'))
        return NULL;
    p += whole;
    if (*p == '.') {
        const size_t n = strspn(++p, "0123456789");
        if (!n)
            return NULL;
        p += n;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        const size_t n = strspn(p, "0123456789");
        if (!n)
            return NULL;
        p += n;
    }
    return p;
}

static inline const char *json_skip_members(const char *p, char close, int keys)
{
    p++;
    if (*p == close)
        return p + 1;
    for (;;) {
        if (keys) {
            p = json_skip_string(p);
            if (!p || *p++ != ':')
                return NULL;
        }
        p = json_skip_value(p);
        if (!p)
            return NULL;
        if (*p == close)
            return p + 1;
        if (*p++ != ',')
            return NULL;
    }
}

static inline const char *json_skip_value(const char *p)
{
    static const char *const words[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++)
        if (strncmp(p, words[i], strlen(words[i])) == 0)
            return p + strlen(words[i]);
    if (*p == '{')
        return json_skip_members(p, '}', 1);
    if (*p == '[')
        return json_skip_members(p, ']', 0);
    return *p == '"' ? json_skip_string(p) : json_skip_number(p);
}

#endif
