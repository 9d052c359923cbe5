/* definitions.h - definitions and repetitions, parts of a model text that are read several times.
 *
 * Nothing is expanded into a longer text: the lines between 'define' or 'repeat' and their 'end' are read
 * in place, once for each use, with that use's values for the parameters. Therefore messages name the lines
 * of the text as written, and the text of a model stays short. */
#ifndef FV_MODEL_DEFINITIONS_H
#define FV_MODEL_DEFINITIONS_H

#include "model/layers.h"

/* Limits for what a short text may expand to: lines read in definitions and repetitions (a repetition
 * counts as one line), and the depth of uses and repetitions. */
#define FV_MAX_REPEATED 200000
#define FV_MAX_DEPTH    24

/* A 'use' line, in the model's arena; every layer record names the use that it comes from. */
typedef struct fv_call {
    const char *definition;
    int line;
    const struct fv_call *parent; /* the enclosing use; NULL: the text itself */
} fv_call;

/* The meaning of names in a definition, or in the text outside of all definitions. */
typedef struct fv_text_scope {
    const char *prefix;                     /* of the full names: "", "layer1.0." */
    fv_named input;                         /* the meaning of 'input'; .name NULL: the model's own */
    const struct fv_definition *definition; /* NULL: the text itself */
    const fv_call *call;                    /* NULL: the text itself */
    fv_counts *counts;                      /* [layer words] of automatic names under this prefix */
} fv_text_scope;

/* The lines of the text: where each begins, and which 'end' belongs to which line. */
typedef struct fv_outline {
    fv_context *ctx;
    int n_lines;
    int *offset; /* [n_lines], in bytes */
    int *end;    /* [n_lines]: of a line with 'define' or 'repeat', the index of its 'end' */
} fv_outline;

fv_status fv__outline_read(fv_outline *outline, fv_context *ctx, const char *text, size_t n_bytes,
                           const char *source);
void fv__outline_deinit(fv_outline *outline);

/* Each reads the line in p->line, whose index in the outline is `index`. */
fv_status fv__define_read(fv_parse *p, int index);
fv_status fv__use_read(fv_parse *p);
fv_status fv__repeat_read(fv_parse *p, int index);
/* Checks at the end of the text that every definition was used. */
fv_status fv__definitions_check(fv_parse *p);
void fv__definitions_deinit(fv_parse *p);
const struct fv_definition *fv__definition_find(const fv_parse *p, const char *name);
/* Writes "use block WIDTH stride=1" into `text`; a longer one ends in "...". */
const char *fv__definition_usage(const struct fv_definition *definition, char *text, size_t bytes);
/* Adds the place of use to the message: " (in 'block', used on line 12)". */
void fv__call_explain(fv_context *ctx, const fv_call *call);

/* model_text.c: reads the lines [begin, end) of the outline. */
fv_status fv__lines_read(fv_parse *p, int begin, int end);

#endif
