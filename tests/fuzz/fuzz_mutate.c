/* fuzz_mutate.c - libFuzzer's custom mutator for model texts. It changes lines, words and numbers, and keeps
 * a change that the library still takes as a model, if a few tries find one: what is behind the reader of
 * texts (plans, kernels, gradients) sees networks, not spelling mistakes. Texts stay texts, so an input that
 * was found can be read. The target `text` goes without it: it is about spelling mistakes. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINES = 200, LINE_BYTES = 200, TRIES = 12 };

typedef struct lines {
    int n;
    char line[MAX_LINES][LINE_BYTES];
} lines;

/* Of this mutation alone: the same seed and input make the same output. */
static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % below);
}

static const char *one_of(const char *const *words, size_t n)
{
    return words[draw((uint32_t)n)];
}
#define ONE_OF(words) one_of(words, sizeof(words) / sizeof *(words))

/* ---- what is drawn ---------------------------------------------------------------------------------- */

/* Around the lanes, the tiles and the places where kernels change; large ones now and then. */
static int number(void)
{
    static const int small[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12},
                     tiles[] = {15, 16, 17, 24, 31, 32, 33, 48, 64, 65},
                     large[] = {96,  127, 128,  129,  255,  256,   257,
                                511, 513, 1000, 1024, 4096, 65536, 16777216};
    const uint32_t kind = draw(20);
    return kind < 14 ? small[draw(10)] : kind < 19 ? tiles[draw(10)] : large[draw(14)];
}

static int small_number(void)
{
    return 1 + (int)draw(draw(4) ? 3 : 7);
}

/* Channels and features. */
static int width(void)
{
    static const int widths[] = {1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 40, 48, 64};
    return widths[draw(sizeof widths / sizeof *widths)];
}

static void window(char text[32])
{
    const int h = small_number();
    if (draw(3))
        snprintf(text, 32, "%d", h);
    else
        snprintf(text, 32, "%dx%d", h, small_number());
}

/* The name of an earlier line, or "input". */
static void some_layer(const lines *text, int before, char name[LINE_BYTES])
{
    char kind[LINE_BYTES] = "", second[LINE_BYTES] = "";
    strcpy(name, "input");
    if (before < 1 || draw(6) == 0)
        return;
    const char *const line = text->line[draw((uint32_t)before)], *const named = strstr(line, " name=");
    if (sscanf(line, "%99s %99s", kind, second) < 1 || strcmp(kind, "input") == 0)
        return;
    const bool has_name = strstr("conv linear bias batchnorm layernorm classtoken position attention", kind);
    strcpy(name, has_name && second[0] ? second : kind);
    if (named)
        sscanf(named, " name=%99s", name);
}

static void key(const lines *text, int at, char out[LINE_BYTES])
{
    char layer[LINE_BYTES], size[32];
    window(size);
    switch (draw(10)) {
    case 0:
        snprintf(out, LINE_BYTES, "stride=%.20s", size);
        break;
    case 1:
    case 2:
        snprintf(out, LINE_BYTES, "pad=%.20s", size);
        break;
    case 3:
        snprintf(out, LINE_BYTES, "dilation=%.20s", size);
        break;
    case 4:
        snprintf(out, LINE_BYTES, "groups=%d", width());
        break;
    case 5:
        strcpy(out, "bias=no");
        break;
    case 6:
        snprintf(out, LINE_BYTES, "name=t%u", (unsigned)draw(100));
        break;
    case 7:
        snprintf(out, LINE_BYTES, "queries=%d", small_number());
        break;
    case 8:
        strcpy(out, draw(2) ? "at0=1" : "init=uniform:0.5");
        break;
    default:
        some_layer(text, at, layer);
        snprintf(out, LINE_BYTES, "from=%.60s", layer);
    }
}

/* A line to stand at text->line[at]. */
static void layer(const lines *text, int at, char out[LINE_BYTES])
{
    static const char *const plain[] = {"relu",
                                        "tanh",
                                        "sigmoid",
                                        "softplus",
                                        "gelu",
                                        "leakyrelu",
                                        "identity",
                                        "flatten",
                                        "tokens",
                                        "globalavgpool",
                                        "softmax",
                                        "dropout 0.25",
                                        "leakyrelu slope=0.3 at0=1",
                                        "slice 0 1",
                                        "slice 1 0",
                                        "relu at0=1"};
    static const char *const named[] = {"bias", "batchnorm", "layernorm", "classtoken", "position"};
    char size[32], other[LINE_BYTES];
    const unsigned name = draw(1000);
    window(size);
    switch (draw(9)) {
    case 0:
    case 1:
        snprintf(out, LINE_BYTES, "conv c%u %d %s", name, width(), size);
        break;
    case 2:
        snprintf(out, LINE_BYTES, "linear l%u %d", name, width());
        break;
    case 3:
        snprintf(out, LINE_BYTES, "%s %s", draw(2) ? "maxpool" : "avgpool", size);
        break;
    case 4:
        snprintf(out, LINE_BYTES, "%s n%u", ONE_OF(named), name);
        break;
    case 5:
        some_layer(text, at, other);
        snprintf(out, LINE_BYTES, "add %.60s", other);
        break;
    case 6:
        snprintf(out, LINE_BYTES, "attention a%u %d", name, small_number());
        break;
    default:
        snprintf(out, LINE_BYTES, "%s", ONE_OF(plain));
    }
    for (int keys = draw(3) ? 0 : 1 + (int)draw(2); keys > 0; keys--) {
        key(text, at, other);
        if (strlen(out) + strlen(other) + 2 < LINE_BYTES)
            strcat(strcat(out, " "), other);
    }
}

/* ---- changes ---------------------------------------------------------------------------------------- */

static bool insert(lines *text, int at, const char *line)
{
    if (text->n == MAX_LINES)
        return false;
    memmove(text->line + at + 1, text->line + at, (size_t)(text->n - at) * LINE_BYTES);
    snprintf(text->line[at], LINE_BYTES, "%s", line);
    text->n++;
    return true;
}

static void erase(lines *text, int at)
{
    memmove(text->line + at, text->line + at + 1, (size_t)(text->n - at - 1) * LINE_BYTES);
    text->n--;
}

/* One of the line's numbers becomes another. */
static void change_number(char line[LINE_BYTES])
{
    char *digits[32], old[LINE_BYTES];
    int n = 0;
    for (char *p = line; *p && n < 32; p++)
        if (*p >= '0' && *p <= '9' && (p == line || strchr(" x=", p[-1])))
            digits[n++] = p;
    if (n == 0)
        return;
    char *const at = digits[draw((uint32_t)n)], *end;
    const long value = strtol(at, &end, 10);
    strcpy(old, end);
    const long changed = draw(3) ? number() : draw(2) ? value + 1 : draw(2) ? value - 1 : value * 2;
    snprintf(at, LINE_BYTES - (size_t)(at - line), "%ld%s", changed < 0 ? 0 : changed, old);
}

/* A way around a few lines. */
static void residual(lines *text)
{
    const int first = (int)draw((uint32_t)text->n), last = first + 1 + (int)draw(4);
    char line[LINE_BYTES];
    const unsigned name = draw(1000);
    if (last > text->n)
        return;
    snprintf(line, sizeof line, "add r%u", name);
    insert(text, last, line);
    snprintf(line, sizeof line, "%s name=r%u", draw(2) ? "identity" : "relu", name);
    insert(text, first, line);
}

/* The target's own numbers: the first line. */
static void controls(lines *text)
{
    char line[LINE_BYTES];
    static const int batches[] = {1, 2, 3, 15, 16, 17, 33, 40, 100};
    snprintf(line, sizeof line, "# batch=%d images=%d seed=%u threads=%u direct=%u", batches[draw(9)],
             batches[draw(9)], (unsigned)draw(1000), 1 + (unsigned)draw(3), (unsigned)draw(2));
    if (text->n > 0 && text->line[0][0] == '#')
        erase(text, 0);
    insert(text, 0, line);
}

static void change(lines *text)
{
    static const char *const losses[] = {"loss squared-error", "loss cross-entropy", "sigmoid", "softmax",
                                         "init xavier",        "init normal 0.5"};
    char line[LINE_BYTES];
    const int at = text->n > 0 ? (int)draw((uint32_t)text->n) : 0;
    if (text->n == 0 || draw(20) == 0) {
        controls(text);
    } else if (draw(3) == 0) {
        layer(text, at, line);
        insert(text, at, line);
    } else if (draw(3) == 0) {
        change_number(text->line[at]);
    } else if (draw(4) == 0) {
        key(text, at, line);
        if (strlen(text->line[at]) + strlen(line) + 2 < LINE_BYTES)
            strcat(strcat(text->line[at], " "), line);
    } else if (draw(3) == 0) {
        erase(text, at);
    } else if (draw(3) == 0) {
        layer(text, at, text->line[at]);
    } else if (draw(3) == 0) {
        snprintf(line, sizeof line, "%s", text->line[at]);
        insert(text, (int)draw((uint32_t)text->n), line);
    } else if (draw(4) == 0) {
        insert(text, draw(2) ? text->n : at, ONE_OF(losses));
    } else {
        residual(text);
    }
}

/* ---- text and lines --------------------------------------------------------------------------------- */

static void split(const char *text, lines *out)
{
    out->n = 0;
    while (*text && out->n < MAX_LINES) {
        const size_t length = strcspn(text, "\n");
        snprintf(out->line[out->n++], LINE_BYTES, "%.*s",
                 (int)(length < LINE_BYTES ? length : LINE_BYTES - 1), text);
        text += length + (text[length] == '\n');
    }
}

/* Bytes written, without a NUL behind; lines that find no room are left out. */
static size_t join(const lines *in, char *text, size_t room)
{
    size_t n = 0;
    for (int i = 0; i < in->n; i++) {
        const size_t length = strlen(in->line[i]);
        if (n + length + 1 > room)
            break;
        memcpy(text + n, in->line[i], length);
        text[n + length] = '\n';
        n += length + 1;
    }
    return n;
}

static bool is_model(const char *text, size_t n)
{
    static fv_context *ctx;
    fv_model *model = NULL;
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    char *const whole = fuzz_text((const uint8_t *)text, n);
    const bool well = fv_model_from_text(ctx, whole, "text", &model) == FV_OK;
    fv_model_destroy(model);
    free(whole);
    return well;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t room, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t room, unsigned seed)
{
    static lines before, after;
    char *const text = fuzz_text(bytes, n);
    state = seed;
    split(text, &before);
    free(text);
    for (int tries = 0; tries < TRIES; tries++) {
        after = before;
        for (int changes = 1 + (int)draw(3); changes > 0; changes--)
            change(&after);
        n = join(&after, (char *)bytes, room);
        if (is_model((const char *)bytes, n))
            break;
    }
    return n;
}
