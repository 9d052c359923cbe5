/* nearest_name.c - the known name that a mistyped one stands for: what other programs call the same thing, a
 * few wrong letters by Damerau's distance (neighbours swapped count one edit), or a word that one begins with
 * the other. Small and capital letters are the same; '-' and '_' do not count. */
#include <string.h>

#include "options.h"

#define LONGEST 48 /* nobody mistypes a longer name */

/* What others call it, and what it is called here: commands, and options without their dashes. */
static const char *const synonyms[][2] = {
    {"fit", "train"},
    {"learn", "train"},
    {"test", "eval"},
    {"score", "eval"},
    {"validate", "eval"},
    {"classify", "predict"},
    {"infer", "predict"},
    {"inference", "predict"},
    {"show", "info"},
    {"summary", "info"},
    {"describe", "info"},
    {"inspect", "info"},
    {"gradcheck", "check"},
    {"verify", "check"},
    {"list", "models"},
    {"zoo", "models"},
    {"example", "demo"},
    {"tutorial", "demo"},
    {"usage", "help"},
    {"learning-rate", "lr"},
    {"rate", "lr"},
    {"l2", "weight-decay"},
    {"decay", "weight-decay"},
    {"wd", "weight-decay"},
    {"gamma", "step-factor"},
    {"lr-decay", "step-factor"},
    {"step-size", "step-epochs"},
    {"lr-schedule", "schedule"},
    {"scheduler", "schedule"},
    {"augment", "shift"},
    {"augmentation", "shift"},
    {"passes", "epochs"},
    {"workers", "threads"},
    {"jobs", "threads"},
    {"cores", "threads"},
    {"save", "out"},
    {"run-dir", "out"},
    {"network", "model"},
    {"arch", "model"},
    {"samples", "limit"},
    {"subset", "limit"},
    {"continue", "resume"},
    {"checkpoint", "resume"},
    {"random-state", "seed"},
    {"labels", "classes"},
    {"silent", "quiet"},
};

/* Copies the letters that count. Returns how many; 0 where there are none or too many. */
static int squeeze(const char *word, char out[LONGEST + 1])
{
    int n = 0;
    for (; *word; word++) {
        if (*word == '-' || *word == '_')
            continue;
        if (n == LONGEST)
            return 0;
        out[n++] = *word >= 'A' && *word <= 'Z' ? (char)(*word - 'A' + 'a') : *word;
    }
    out[n] = '\0';
    return n;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int distance(const char *a, int n, const char *b, int m)
{
    int d[LONGEST + 1][LONGEST + 1]; /* of the first i letters of a from the first j of b */
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        for (int j = 1; j <= m; j++) {
            d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

/* 0 for the same letters, more the farther; -1: too far to be meant. */
static int how_far(const char *a, int n, const char *b, int m)
{
    const int edits = distance(a, n, b, m);
    if (edits <= n / 3)
        return edits;
    if (least(n, m) >= 3 && memcmp(a, b, (size_t)least(n, m)) == 0)
        return LONGEST + (n > m ? n - m : m - n);
    return -1;
}

static bool is_synonym(const char *squeezed, const char *name)
{
    char other[LONGEST + 1];
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
        if (strcmp(name, synonyms[i][1]) == 0 && squeeze(synonyms[i][0], other) && !strcmp(squeezed, other))
            return true;
    return false;
}

const char *cli_nearest(const char *word, const char *const *names, int n, size_t stride)
{
    char a[LONGEST + 1], b[LONGEST + 1];
    const int length = squeeze(word, a);
    const char *nearest = NULL;
    int nearest_far = 2 * LONGEST;
    for (int i = 0; i < n && length > 0; i++) {
        const char *name = *(const char *const *)((const char *)names + (size_t)i * stride);
        const int far = is_synonym(a, name) ? 0 : how_far(a, length, b, squeeze(name, b));
        if (far >= 0 && far < nearest_far) { /* the first of equals stays */
            nearest = name;
            nearest_far = far;
        }
    }
    return nearest;
}
