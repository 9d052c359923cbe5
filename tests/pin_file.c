/* pin_file.c - the reader of tests/pins. A line is a word and what belongs to it; lines that begin with a
 * number continue the list of numbers of the line before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pin_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t mixed(uint32_t i, uint32_t seed)
{
    uint32_t u = i * 2654435761u + seed * 2246822519u;
    u = (u ^ u >> 15) * 2246822519u;
    u = (u ^ u >> 13) * 3266489917u;
    return u ^ u >> 16;
}

double pin_unit(uint32_t i, uint32_t seed)
{
    return ((double)(mixed(i, seed) >> 16) - 32768) / 32768;
}

int pin_label(int image, int classes)
{
    return (image * 7 + 3) % classes;
}

void pin_sums(const double *value, int64_t n, double sums[PIN_SUMS])
{
    memset(sums, 0, PIN_SUMS * sizeof *sums);
    for (int64_t i = 0; i < n; i++)
        sums[i % PIN_SUMS] += value[i] * pin_unit((uint32_t)i, 777);
}

typedef struct reader {
    const char *path;
    int line;
    pin_file *file;
    pin_case *at; /* the case that is being read; NULL before the first */
} reader;

static void bad(const reader *r, const char *line)
{
    fail_msg("%s:%d: not understood: '%s'", r->path, r->line, line);
}

static void add_case(reader *r, const char *title)
{
    pin_file *const f = r->file;
    f->cases = realloc(f->cases, (size_t)(f->n_cases + 1) * sizeof *f->cases);
    assert_non_null(f->cases);
    r->at = &f->cases[f->n_cases++];
    *r->at = (pin_case){.images = 1};
    snprintf(r->at->title, sizeof r->at->title, "%s", title);
}

static void add_text(reader *r, const char *line)
{
    const size_t n = strlen(r->at->text);
    if (n + strlen(line) + 2 > sizeof r->at->text)
        bad(r, line);
    sprintf(r->at->text + n, "%s\n", line);
}

static void add_given(reader *r, const char *rest, bool is_parameter)
{
    pin_given g = {.is_parameter = is_parameter};
    if (r->at->n_given == PIN_MAX_TENSORS ||
        sscanf(rest, "%63s %63s %u %lf %lf", g.name, g.shape, &g.seed, &g.scale, &g.offset) != 5)
        bad(r, rest);
    r->at->given[r->at->n_given++] = g;
}

static void add_expected(reader *r, const char *rest, pin_kind kind)
{
    pin_expected e = {.kind = kind};
    char sums[8] = "";
    if (r->at->n_expected == PIN_MAX_TENSORS || sscanf(rest, "%63s %7s", e.name, sums) < 1)
        bad(r, rest);
    e.sums = strcmp(sums, "sums") == 0;
    r->at->expected[r->at->n_expected++] = e;
}

static void add_numbers(reader *r, char *line)
{
    if (r->at->n_expected == 0)
        bad(r, line);
    pin_expected *const e = &r->at->expected[r->at->n_expected - 1];
    for (char *word, *rest = line; (word = strtok_r(rest, " ", &rest));) {
        char *end;
        e->value = realloc(e->value, (size_t)(e->n + 1) * sizeof *e->value);
        assert_non_null(e->value);
        e->value[e->n++] = strtod(word, &end);
        if (*end)
            bad(r, word);
    }
}

static void read_line(reader *r, char *line)
{
    static const char *const kinds[] = {"output", "loss", "gradient", "predict", "after"};
    char *const blank = strchr(line, ' '), *const rest = blank ? blank + 1 : line + strlen(line);
    if (strspn(line, "-.0123456789") > 0) {
        add_numbers(r, line);
        return;
    }
    if (blank)
        *blank = '\0';
    if (strcmp(line, "tolerance") == 0)
        r->file->tolerance = strtod(rest, NULL);
    else if (strcmp(line, "case") == 0)
        add_case(r, rest);
    else if (!r->at)
        bad(r, line);
    else if (strcmp(line, "text") == 0)
        add_text(r, rest);
    else if (strcmp(line, "training") == 0)
        snprintf(r->at->training, sizeof r->at->training, "%s", rest);
    else if (strcmp(line, "images") == 0)
        r->at->images = atoi(rest);
    else if (strcmp(line, "classes") == 0)
        r->at->classes = atoi(rest);
    else if (strcmp(line, "pixels") == 0)
        r->at->pixels = (uint32_t)atoi(rest);
    else if (strcmp(line, "input") == 0 || strcmp(line, "parameter") == 0)
        add_given(r, rest, *line == 'p');
    else {
        int kind = 0;
        while (kind < 5 && strcmp(line, kinds[kind]) != 0)
            kind++;
        if (kind == 5)
            bad(r, line);
        add_expected(r, rest, (pin_kind)kind);
    }
}

void pin_file_read(pin_file *file, const char *path)
{
    char line[4096];
    *file = (pin_file){0};
    reader r = {.path = path, .file = file};
    FILE *const in = fopen(path, "r");
    if (!in)
        fail_msg("%s: cannot be opened", path);
    for (; fgets(line, sizeof line, in); r.line++) {
        line[strcspn(line, "\n")] = '\0';
        if (*line && *line != '#')
            read_line(&r, line);
    }
    fclose(in);
    if (file->n_cases == 0 || !(file->tolerance > 0))
        fail_msg("%s: a tolerance and a case are missing", path);
}

void pin_file_free(pin_file *file)
{
    for (int k = 0; k < file->n_cases; k++)
        for (int i = 0; i < file->cases[k].n_expected; i++)
            free(file->cases[k].expected[i].value);
    free(file->cases);
}
