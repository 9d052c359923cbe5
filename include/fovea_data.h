/* fovea_data.h - the part of fovea.h about data sets: opening them, and looking into them. Programs include
 * fovea.h. */
#ifndef FOVEA_DATA_H
#define FOVEA_DATA_H

#ifndef FOVEA_H
#error "include fovea.h"
#endif

/* ---- data sets ---------------------------------------------------------------------------------- */

typedef struct fv_data fv_data;

/* The type of a field's values; and the scale of bytes that are pixels: byte / 255.0f, correctly rounded. */
typedef enum fv_element { FV_U8, FV_I32, FV_F32 } fv_element;
#define FV_SCALE_PIXELS (1.0f / 255.0f)
typedef enum fv_split { FV_SPLIT_TRAIN, FV_SPLIT_TEST } fv_split;

typedef struct fv_data_options {
    const char *const *roots; /* folders in which a NAME is looked up; NULL-terminated; may be NULL  */
    const int *classes;       /* keep these classes only, renumbered 0..n_classes-1 in this order    */
    int n_classes;            /* 0: keep all                                                         */
    uint64_t seed;            /* of `digits`, the built-in procedural set                            */
    int limit;                /* keep the first `limit` images; 0: all                               */
    int c, h, w;              /* the size that a model wants: pictures of another size and colour are
                               * brought to it; 0: as they are, all of one size                      */
    size_t cache_bytes;       /* for the pictures of a folder: those that do not fit are decoded again
                               * whenever a batch needs them; 0: half of the memory that is free     */
} fv_data_options;

/* `spec` is one of the sources below: "digits", a folder or a file, or the name of one under one of the
 * roots; behind a colon words may follow, as in "photos:fit=pad,split=0.1". Of IDX files no more is read than
 * the limit asks for; of class folders, the first `limit` have all classes in the same shares as the whole.
 * `options` may be NULL: all of them zero. FV_ERR_INPUT where a file cannot be read, and for the test set of
 * a source that has none. */
FV_API fv_status fv_data_open(fv_context *ctx, const char *spec, fv_split split,
                              const fv_data_options *options, fv_data **out);
/* Both sets; *test becomes NULL where there is none. */
FV_API fv_status fv_data_open_both(fv_context *ctx, const char *spec, const fv_data_options *options,
                                   fv_data **train, fv_data **test);
/* Where `spec` leads to: true for "digits", and where there is such a file or folder. */
FV_API bool fv_data_exists(fv_context *ctx, const char *spec, const char *const *roots);

/* What data can be, and the words behind a colon; NULL past the last. */
typedef struct fv_data_source {
    const char *name; /* "class folders" */
    const char *help;
} fv_data_source;
FV_API const fv_data_source *fv_data_source_at(int index);
typedef struct fv_data_word {
    const char *word;     /* "split" */
    const char *argument; /* "a number between 0 and 1" */
    const char *help;
} fv_data_word;
FV_API const fv_data_word *fv_data_word_at(int index);

/* A data set from memory: pixels [n][c][h][w] in 0..255 and labels [n] in 0..n_classes-1, both copied. n is
 * at least 1, n_classes at most FV_MAX_CLASSES. */
FV_API fv_status fv_data_from_memory(fv_context *ctx, const uint8_t *pixels, const int *labels, int n, int c,
                                     int h, int w, int n_classes, fv_data **out);
/* A field of a data set: one named value or array for each of its n samples. */
#define FV_MAX_FIELDS 16
#define FV_MAX_DIMS   6
typedef struct fv_data_field {
    const char *name;   /* what the model's input or target is called: "image", "label", "target"          */
    fv_element element; /* of each value                                                                   */
    float scale;        /* FV_U8: a value counts times this; FV_SCALE_PIXELS: divided by 255               */
    int rank, dims[FV_MAX_DIMS]; /* of a sample: [c][h][w], [c][l], [n]; [1] for a class number            */
    int n_classes;      /* of class numbers, 0..n_classes-1, to FV_MAX_CLASSES; 0: any values               */
    const void *values; /* [n] samples, one after the other, without padding; of fv_data_field_at, NULL where
                         * not all of them are held in memory                                              */
} fv_data_field;
/* A data set of n samples, all copied. A model's input or target takes the field of its own name; without
 * one, the first field that has no input's or target's name. FV_ERR_ARGUMENT if a class number is not below
 * n_classes, a float is not finite, or the scale of bytes that are no class numbers is 0 or not finite. */
FV_API fv_status fv_data_from_fields(fv_context *ctx, const fv_data_field *fields, int n_fields, int n,
                                     fv_data **out);
/* One image file: PNG, JPEG, PGM or PPM, of exactly c x h x w. Becomes a data set of one image without a
 * label. fv_model_open_image takes images of any size. */
FV_API fv_status fv_data_open_image(fv_context *ctx, const char *path, int c, int h, int w, fv_data **out);
FV_API void fv_data_destroy(fv_data *data);

/* How a data set is opened again: what it is called, and how it is cut. */
typedef struct fv_data_record {
    const char *name;   /* `spec`; NULL: it came from memory or one image, or its name is not UTF-8 or has
                         * more than FV_MAX_DATA_NAME_BYTES, so that no file can hold it                   */
    const int *classes; /* [n_classes], as they were asked for                                             */
    int n_classes;      /* 0: all                                                                          */
    int limit;          /* 0: all                                                                          */
} fv_data_record;
#define FV_MAX_DATA_NAME_BYTES 4096

typedef struct fv_data_info {
    const char *name; /* for people */
    int n, c, h, w,
        n_classes; /* c, h, w: of the first field, where it is an image, signal or vector, else 0 */
    int n_fields;
    size_t bytes;     /* held in memory */
    int n_held;       /* samples held in memory; the others are read when they are needed */
    const char *note; /* what was done to the pictures: "60,000 gray to RGB"; NULL: nothing */
    const char
        *warning;  /* of fv_model_open_image: why the picture may not be what the model knows; or NULL */
    int n_skipped; /* files left out because they cannot be read */
    fv_data_record record;
} fv_data_info;
FV_API fv_data_info fv_data_describe(const fv_data *data);
FV_API fv_data_field fv_data_field_at(const fv_data *data,
                                      int index); /* values borrowed; zeros past the last */
/* [c][h][w]; NULL: it has no bytes, or its file cannot be read any more. A picture that is not held in memory
 * is valid until the next call. */
FV_API const uint8_t *fv_data_pixels(const fv_data *data, int index);
/* The mean and the standard deviation of a channel of the first field over all samples; 0 for one that it has
 * not. Pixels count from 0 to 1. */
FV_API void fv_data_moments(const fv_data *data, int channel, double *mean, double *deviation);
/* What is known of one sample. */
typedef struct fv_data_sample {
    const char *path; /* its file; NULL: it has none of its own */
    int c, h, w;      /* its own size, before it was brought to the set's */
    uint64_t digest;  /* of its pixels, as they are given: equal ones are the same picture */
} fv_data_sample;
FV_API fv_data_sample fv_data_sample_at(const fv_data *data, int index); /* zeros past the last */
/* Why a file was left out: "photos/cat/7.jpg: ..."; NULL past the last of n_skipped. */
FV_API const char *fv_data_skipped(const fv_data *data, int index);
FV_API int fv_data_label(const fv_data *data, int index); /* -1: unknown */
/* Classes are called "0", "1", ... by the numbers that they have in the files; "?" for a label that is
 * none. */
FV_API const char *fv_data_class_name(const fv_data *data, int label);
/* Other names: `n` of them, as many as the set has classes; copied. Each is printable UTF-8 of 1 to 255
 * bytes, or FV_ERR_ARGUMENT. */
FV_API fv_status fv_data_set_class_names(fv_data *data, const char *const *names, int n);

#endif
