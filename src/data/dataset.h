/* dataset.h - labelled pictures in memory, the result of every source of data. */
#ifndef FV_DATA_DATASET_H
#define FV_DATA_DATASET_H

#include "base/context.h"
#include "tensor/shape.h"

typedef struct fv_field {
    char *name;
    fv_element element;
    float scale;
    fv_shape shape;
    int n_classes; /* 0: any values */
    size_t bytes;  /* of one sample */
    void *values;  /* [n] samples */
} fv_field;

typedef struct fv_files fv_files; /* data/files.h */

struct fv_data {
    fv_context *ctx;
    char *name; /* "digits", "mnist", a file's path */
    int n;
    fv_field field[FV_MAX_FIELDS]; /* of pictures: "image" and "label" */
    int n_fields;
    int c, h, w;        /* of the first field; 0 if it is no image */
    int n_classes;      /* of the field "label"; 0: no labels */
    uint8_t *pixels;    /* of the first field, [n][c][h][w]; NULL if it is not of bytes */
    int *labels;        /* of the field "label", [n], 0..n_classes-1, or -1: unknown; NULL: no such field */
    char **class_names; /* [n_classes], one block */
    fv_data_record *record; /* NULL: it cannot be opened again */
    fv_files *files;        /* the first field's samples are files: those that are not held are read from
                             * there; NULL: all are held */
    int n_held;             /* samples of the first field in memory: the first ones; n without `files` */
    char *note;             /* what was done to the pictures, for people; NULL: nothing */
    char *warning;          /* why they may not be what the model knows; NULL: no reason */
};

/* The number of the field of that name; -1: not found. */
int fv__data_field(const fv_data *data, const char *name);
/* An empty set with room for n pictures: labels are -1, pixels 0, and classes are named "0", "1", ... */
fv_status fv__data_create(fv_context *ctx, const char *name, int n, int c, int h, int w, int n_classes,
                          fv_data **out);
/* A set of n samples without fields, for fields to be added. */
fv_status fv__data_begin(fv_context *ctx, const char *name, int n, fv_data **out);
/* Adds a field, whose name is copied and whose bytes are computed here. Takes ownership of field.values, also
 * on failure; NULL there is FV_ERR_MEMORY. */
fv_status fv__data_add_field(fv_data *data, const char *name, fv_field field);
/* Names the n_classes of the set "0", "1", ... */
fv_status fv__data_number_classes(fv_data *data);
/* Checks the sizes for create and adopt, before anything is read or allocated. */
fv_status fv__data_check_sizes(fv_context *ctx, const char *name, int n, int c, int h, int w, int n_classes);
void fv__data_destroy(fv_data *data);
fv_status fv__data_name_classes(fv_data *data, const char *const *names); /* [n_classes], copied */
/* The first field, which is of bytes, becomes `pixels`, a block of fv__alloc, of another size. */
void fv__data_replace_pixels(fv_data *data, uint8_t *pixels, int c, int h, int w);
/* The mean and the mean square of channel c of a field, over the first n samples. */
void fv__data_moments(const fv_data *data, int field, int n, int c, double *mean, double *square);
/* Replaces data->note by a copy. */
fv_status fv__data_set_note(fv_data *data, const char *note);
/* As fv__data_adopt, of n pictures of which `pixels` has the first n_held; takes the files, too. */
fv_status fv__data_adopt_files(fv_context *ctx, const char *name, uint8_t *pixels, int n_held,
                               fv_files *files, int n_classes, fv_data **out);
/* A digest of everything that training reads: sizes, pixels and labels. */
uint64_t fv__data_digest(const fv_data *data);
/* As create, but takes ownership of `pixels`, a block of fv__alloc, also on failure. */
fv_status fv__data_adopt(fv_context *ctx, const char *name, uint8_t *pixels, int n, int c, int h, int w,
                         int n_classes, fv_data **out);
/* The number of a label among the classes that the options keep; -1: they do not keep it. */
int fv__data_renumber(const fv_data_options *options, int label);
/* Keeps the classes and the number of pictures that the options choose; renumbers labels and names. */
fv_status fv__data_select(fv_data *data, const fv_data_options *options);
/* Checks the options for a set of n_classes classes: classes in range and distinct, limit >= 0. */
fv_status fv__data_check_options(fv_context *ctx, const fv_data_options *options, int n_classes,
                                 const char *name);

/* As fv_data_from_fields. */
fv_status fv__data_from_fields(fv_context *ctx, const fv_data_field *fields, int n_fields, int n,
                               fv_data **out);

#endif
