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
};

/* The number of the field of that name; -1: not found. */
int fv__data_field(const fv_data *data, const char *name);
/* An empty set with room for n pictures: labels are -1, pixels 0, and classes are named "0", "1", ... */
fv_status fv__data_create(fv_context *ctx, const char *name, int n, int c, int h, int w, int n_classes,
                          fv_data **out);
/* Checks the sizes for create and adopt, before anything is read or allocated. */
fv_status fv__data_check_sizes(fv_context *ctx, const char *name, int n, int c, int h, int w, int n_classes);
void fv__data_destroy(fv_data *data);
fv_status fv__data_name_classes(fv_data *data, const char *const *names); /* [n_classes], copied */
/* A digest of everything that training reads: sizes, pixels and labels. */
uint64_t fv__data_digest(const fv_data *data);
/* As create, but takes ownership of `pixels`, a block of fv__alloc, also on failure. */
fv_status fv__data_adopt(fv_context *ctx, const char *name, uint8_t *pixels, int n, int c, int h, int w,
                         int n_classes, fv_data **out);
/* Keeps the classes and the number of pictures that the options choose; renumbers labels and names. */
fv_status fv__data_select(fv_data *data, const fv_data_options *options);
/* Checks the options for a set of n_classes classes: classes in range and distinct, limit >= 0. */
fv_status fv__data_check_options(fv_context *ctx, const fv_data_options *options, int n_classes,
                                 const char *name);

/* As fv_data_from_fields. */
fv_status fv__data_from_fields(fv_context *ctx, const fv_data_field *fields, int n_fields, int n,
                               fv_data **out);

/* data/mnist.c: the four files of the MNIST layout. */
fv_status fv__mnist_open(fv_context *ctx, const char *folder, const char *name, fv_split split,
                         const fv_data_options *options, fv_data **out);

#endif
