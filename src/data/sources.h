/* sources.h - what data can be: one row a source. */
#ifndef FV_DATA_SOURCES_H
#define FV_DATA_SOURCES_H

#include "data/data_words.h"
#include "data/dataset.h"

/* What is to be opened. */
typedef struct fv_opening {
    fv_context *ctx;
    const char *path; /* where it lies */
    const char *name; /* how it was asked for; messages and the set have it */
    fv_data_words words;
    fv_split split;
    const fv_data_options *options;
} fv_opening;

typedef struct fv_source {
    fv_data_source shown;
    const char *words[8]; /* that it knows; NULL behind the last */
    /* Whether this is what lies there. */
    bool (*recognises)(fv_context *ctx, const char *path);
    /* *out stays NULL where there is no such set. */
    fv_status (*open)(const fv_opening *o, fv_data **out);
} fv_source;

/* Rows, each in a file of its own. */
extern const fv_source fv__source_digits, fv__source_idx, fv__source_cifar, fv__source_pictures,
    fv__source_sounds, fv__source_arrays, fv__source_table;

const fv_source *fv__source_at(int index); /* NULL past the last */
/* Opens `spec` by the row that recognises it; *out stays NULL where there is no such set. */
fv_status fv__source_open(fv_context *ctx, const char *spec, fv_split split, const fv_data_options *options,
                          fv_data **out);

/* Whether there is a file or folder that `spec` means. */
fv_status fv__source_exists(fv_context *ctx, const char *spec, const char *const *roots, bool *out);

/* Brings pictures of bytes to another size and colour; a set of anything else is left alone. */
fv_status fv__data_fit(fv_data *data, const fv_data_options *options, fv_fit fit);

/* A set of pictures [n][c][h][w] with all their labels, of which the options keep some. Takes `pixels`, also
 * on failure. */
fv_status fv__data_of_pictures(const fv_opening *o, uint8_t *pixels, const int *labels, int n, int c, int h,
                               int w, int n_classes, const char *const *class_names, fv_data **out);

#endif
