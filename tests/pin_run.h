/* pin_run.h - one case of tests/pins in Fovea: its model, its output and gradients by the kernels of a plan,
 * what it predicts. Everything fails the test where it disagrees. */
#ifndef FV_TESTS_PIN_RUN_H
#define FV_TESTS_PIN_RUN_H

#include "fovea.h"
#include "pin_file.h"

typedef struct pin {
    const char *file, *isa;
    const pin_case *c;
    double tolerance;
    fv_context *ctx;
    fv_model *model;
    void *given[PIN_MAX_TENSORS]; /* as c->given, of inputs and targets: floats, or ints of class numbers */
    int labels[64];
} pin;

void pin_well(const pin *p, fv_status status);
/* The numbers of `e` against n that were found. */
void pin_compare(const pin *p, const pin_expected *e, const char *what, const double *found, int64_t n);
/* The case's text, with `end` to make it a whole model where it has no loss of its own. */
fv_status pin_build(fv_context *ctx, const pin_case *c, const char *end, fv_model **out);
/* A parameter that the file forgets would be drawn at random and compared with nothing. */
void pin_check_names(const pin *p);
void pin_set_parameters(const pin *p, fv_model *model);
/* Inputs, targets and labels, by their formulas. */
void pin_make_values(pin *p);
void pin_free_values(pin *p);
/* Output, loss and gradients, of a plan that keeps every tensor. */
void pin_check_training(const pin *p);
/* What a predictor says, of all images at once and of the first alone, which has another layout. */
void pin_check_prediction(pin *p, const pin_expected *e);

#endif
