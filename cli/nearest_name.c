/* nearest_name.c - the known name that a mistyped one stands for: what other programs call the same thing, or
 * what fv_nearest finds. */
#include <string.h>

#include "fovea.h"
#include "options.h"

enum { MAX_NAMES = 64 }; /* of commands, of options of a command, of models */

/* Other programs' names, and ours: commands, and options without their dashes. */
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

/* Capital letters, '-' and '_' make no difference. */
static bool same_letters(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "-_");
        b += strspn(b, "-_");
        const char small = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
        if (small != *b || !*b)
            return small == *b;
    }
}

const char *cli_nearest(const char *word, const char *const *names, int n, size_t stride)
{
    const char *found[MAX_NAMES];
    for (int i = 0; i < n && i < MAX_NAMES; i++) {
        found[i] = *(const char *const *)((const char *)names + (size_t)i * stride);
        for (size_t k = 0; k < sizeof synonyms / sizeof synonyms[0]; k++)
            if (strcmp(found[i], synonyms[k][1]) == 0 && same_letters(word, synonyms[k][0]))
                return found[i];
    }
    return fv_nearest(word, found, n < MAX_NAMES ? n : MAX_NAMES);
}
