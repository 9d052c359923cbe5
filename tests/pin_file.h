/* pin_file.h - reads a file of tests/pins: small networks with the numbers that PyTorch computes for them.
 * The format is described in tests/pins/README.md. */
#ifndef FV_TESTS_PIN_FILE_H
#define FV_TESTS_PIN_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* A tensor that is given by a formula: value i is offset + scale * pin_unit(i, seed). */
typedef struct pin_given {
    char name[64];
    char shape[64]; /* "4x3x3x3" */
    uint32_t seed;
    double scale, offset;
    bool is_parameter; /* else an input or a target */
} pin_given;

typedef enum pin_kind {
    PIN_OUTPUT,   /* of a layer in training, [image][...]                       */
    PIN_LOSS,     /* of every image                                             */
    PIN_GRADIENT, /* of an input or a parameter                                 */
    PIN_PREDICT,  /* what the model predicts, that is in inference              */
    PIN_AFTER     /* a parameter or a statistic after the updates of `training` */
} pin_kind;

typedef struct pin_expected {
    pin_kind kind;
    char name[64];
    bool sums; /* not the values, but PIN_SUMS sums over all of them: pin_sums */
    int n;
    double *value;
} pin_expected;

enum { PIN_MAX_TENSORS = 24, PIN_SUMS = 16 };

typedef struct pin_case {
    char title[128];
    char text[2048];    /* of the model */
    char training[256]; /* options of a training run, "lr=0.1 epochs=3"; empty: none */
    int images, classes;
    uint32_t pixels; /* the seed of a training run's pixels */
    int n_given, n_expected;
    pin_given given[PIN_MAX_TENSORS];
    pin_expected expected[PIN_MAX_TENSORS];
} pin_case;

typedef struct pin_file {
    double tolerance; /* of a value, relative to the largest of its tensor, or to 1 where that is smaller */
    int n_cases;
    pin_case *cases;
} pin_file;

/* Fails the test where the file does not follow the format. */
void pin_file_read(pin_file *file, const char *path);
void pin_file_free(pin_file *file);

/* In [-1, 1), a multiple of 2^-15: floats hold it exactly. The same as unit() in make_pins.py. */
double pin_unit(uint32_t i, uint32_t seed);
/* The class of an image of `classes`. */
int pin_label(int image, int classes);
/* Sum number k adds up value[i] * pin_unit(i, 777) for all i with i % PIN_SUMS == k. */
void pin_sums(const double *value, int64_t n, double sums[PIN_SUMS]);

#endif
