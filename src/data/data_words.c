/* data_words.c - the table of words behind the name of a data set. */
#include "data/data_words.h"

#include "io/file.h"

#include <string.h>

static const char *const fits[] = {"crop", "stretch", "pad"}; /* in fv_fit's order */

const char *fv__fit_word(fv_fit fit)
{
    return fits[fit];
}

/* Each reader says whether the value is one, and keeps it. */
static bool read_fit(fv_arena *arena, const char *value, fv_data_words *out)
{
    (void)arena;
    for (int i = 0; i < FV_COUNT(fits); i++)
        if (strcmp(value, fits[i]) == 0) {
            out->fit = (fv_fit)i;
            return true;
        }
    return false;
}

static bool read_split(fv_arena *arena, const char *value, fv_data_words *out)
{
    (void)arena;
    return fv__parse_decimal(value, &out->split) && out->split > 0 && out->split < 1;
}

static bool read_whole(const char *value, int most, int *out)
{
    int n = 0;
    const char *p = value;
    for (; *p >= '0' && *p <= '9' && n <= most / 10; p++)
        n = 10 * n + (*p - '0');
    *out = n;
    return *p == '\0' && p > value && n >= 0 && n <= most;
}

static bool read_seed(fv_arena *arena, const char *value, fv_data_words *out)
{
    (void)arena;
    return read_whole(value, 1000000000, &out->split_seed);
}

static bool read_length(fv_arena *arena, const char *value, fv_data_words *out)
{
    (void)arena;
    return read_whole(value, 1 << 24, &out->length) && out->length > 0;
}

static bool read_target(fv_arena *arena, const char *value, fv_data_words *out)
{
    out->target = fv__arena_strdup(arena, value);
    return value[0] != '\0';
}

static bool read_unreadable(fv_arena *arena, const char *value, fv_data_words *out)
{
    (void)arena;
    out->skip = strcmp(value, "skip") == 0;
    return out->skip;
}

static bool read_sizes(fv_arena *arena, const char *value, fv_data_words *out)
{
    (void)arena;
    out->any_size = strcmp(value, "any") == 0;
    return out->any_size;
}

typedef struct row {
    fv_data_word shown;
    bool (*read)(fv_arena *arena, const char *value, fv_data_words *out);
} row;

static const row rows[] = {
    {{"fit", "crop, stretch or pad",
      "how a picture gets another size: crop cuts the middle of the wanted proportions, stretch changes "
      "proportions, pad adds black"},
     read_fit},
    {{"split", "a number between 0 and 1",
      "the share of each class that becomes the test set, where there is none"},
     read_split},
    {{"split-seed", "a whole number", "which ones; 0 where left out"}, read_seed},
    {{"unreadable", "skip", "leaves out files that cannot be read, instead of stopping"}, read_unreadable},
    {{"sizes", "any", "lets pictures differ in size where no model says which: all become as the first"},
     read_sizes},
    {{"target", "the name of a column", "what a table is to predict"}, read_target},
    {{"length", "a whole number", "samples of each sound: longer ones are cut, shorter ones padded with 0"},
     read_length},
};

const fv_data_word *fv__data_word_at(int index)
{
    return index >= 0 && index < FV_COUNT(rows) ? &rows[index].shown : NULL;
}

static fv_status fail_word(fv_context *ctx, const char *path, const char *word)
{
    const char *names[FV_COUNT(rows)];
    fv_text known;
    fv__text_init(&known, ctx);
    for (int i = 0; i < FV_COUNT(rows); i++) {
        names[i] = rows[i].shown.word;
        fv__text_add(&known, "%s%s", fv__list_gap(i, FV_COUNT(rows)), names[i]);
    }
    const char *const near = fv__nearest(word, names, FV_COUNT(rows));
    const fv_status status =
        known.failed ? FV_ERR_MEMORY
                     : fv__fail(ctx, FV_ERR_INPUT, "data set %s: expected the words %s, found '%s'%s", path,
                                known.data, word, fv__nearest_is(near).text);
    fv__text_deinit(&known);
    return status;
}

static fv_status read_word(fv_arena *arena, const char *path, char *word, fv_data_words *out)
{
    char *const equals = strchr(word, '=');
    if (equals)
        *equals = '\0';
    for (int i = 0; i < FV_COUNT(rows); i++) {
        const fv_data_word *const shown = &rows[i].shown;
        if (strcmp(shown->word, word) != 0)
            continue;
        const char *const value = equals ? equals + 1 : "";
        out->given |= 1u << i;
        if (rows[i].read(arena, value, out))
            return FV_OK;
        return fv__fail(arena->ctx, FV_ERR_INPUT, "data set %s: %s: expected %s, found '%s'", path,
                        shown->word, shown->argument, value);
    }
    return fail_word(arena->ctx, path, word);
}

fv_status fv__data_words_read(fv_arena *arena, const char *spec, const char **path, fv_data_words *out)
{
    char *const text = fv__arena_strdup(arena, spec);
    if (!text)
        return FV_ERR_MEMORY;
    *out = (fv_data_words){.fit = FV_FIT_CROP};
    *path = text;
    char *colon = strrchr(text, ':');
    const char *const slash = strrchr(text, '/');
    if (!colon || (slash && slash > colon) || fv__file_exists(text))
        return FV_OK;
    *colon = '\0';
    for (char *word = colon + 1, *comma = colon; comma; word = comma + 1) {
        comma = strchr(word, ',');
        if (comma)
            *comma = '\0';
        FV_TRY(read_word(arena, text, word, out));
    }
    return FV_OK;
}
