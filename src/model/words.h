/* words.h - the lexer of the model text: lines, words with their columns, names and numbers. */
#ifndef FV_MODEL_WORDS_H
#define FV_MODEL_WORDS_H

#include "base/context.h"

#define FV_TEXT_MAX_BYTES (1 << 20)
#define FV_LINE_MAX_BYTES 8000 /* weights of 1,000 classes fit */
#define FV_LINE_MAX_WORDS 24
#define FV_NAME_MAX_BYTES 48

typedef struct fv_word {
    const char *text; /* NUL-terminated */
    int column;       /* counted in bytes, from 1 */
} fv_word;

struct fv_text_scope; /* definitions.h */

/* The value of "$name" in a line. */
typedef struct fv_binding {
    const char *name, *text;
    const struct fv_text_scope
        *scope; /* the scope where the text was written, in which its layers are looked up */
    const struct fv_binding *next;
} fv_binding;

/* The bytes of a line with its parameters filled in, and of each of them: */
typedef struct fv_line_room {
    char bytes[FV_LINE_MAX_BYTES + 1];
    int16_t column_of[FV_LINE_MAX_BYTES + 1];                    /* its column in the text ... */
    const struct fv_text_scope *scope_of[FV_LINE_MAX_BYTES + 1]; /* ... and the place where it was written */
} fv_line_room;

/* One line, its parameters filled in, split into words. A '#' and all behind it is removed. */
typedef struct fv_line {
    fv_context *ctx;
    const char *source;
    int number;     /* from 1 */
    int end_column; /* just past the last word, where a missing word would be */
    int n_words;
    fv_word word[FV_LINE_MAX_WORDS];
    fv_line_room *room;                /* not owned; NULL: a line that messages name and nobody splits */
    const fv_binding *bindings;        /* of the place where the line stands; NULL: none */
    const struct fv_text_scope *scope; /* of the line itself */
    bool filled;                       /* the line has parameters */
} fv_line;

/* The column in the text, for messages. Columns of words count the bytes of the line after its parameters
 * were replaced. */
int fv__line_column(const fv_line *line, int column);
/* The scope in which the word at this column was written: the line's own, or that of a parameter's value. */
const struct fv_text_scope *fv__line_scope(const fv_line *line, int column);
/* Sets the message "source:line:column: ..." and returns FV_ERR_INPUT. */
fv_status fv__line_fail(const fv_line *line, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Refuses NUL, bytes that are not UTF-8, control characters, and texts that are too long. */
fv_status fv__text_check(fv_context *ctx, const char *text, size_t n_bytes, const char *source);
/* Replaces parameters and splits the line that begins at text[*at], and moves *at past its end. */
fv_status fv__line_split(fv_line *line, const char *text, size_t n_bytes, size_t *at);

/* synonyms.c: as fv__nearest, but other frameworks' names count first: 'fc' is 'linear'. */
const char *fv__nearest_word(const char *word, const char *const *names, int n_names);

/* Letters, digits, '_' and '-', with a letter or '_' first, at most FV_NAME_MAX_BYTES; also '.' before a
 * letter, a digit or '_'. */
bool fv__name_ok(const char *name);
/* The length of the parameter name at the beginning of `text`: letters, digits and '_', no digit first. */
size_t fv__parameter_length(const char *text);
/* "6": digits alone. Numbers beyond int become INT64_MAX, which is out of every range. */
bool fv__parse_count(const char *text, int64_t *out);
/* "5x5", or "5" for both; "1x28x28" with n = 3. `one_for_all` allows a single number. */
bool fv__parse_sizes(const char *text, int n, bool one_for_all, int64_t *out);

#endif
