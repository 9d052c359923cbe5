/* feeding.h - what tests give to the feeds of a run: an input of floats or bytes, and class numbers. */
#ifndef FV_TESTS_FEEDING_H
#define FV_TESTS_FEEDING_H

#include "kernels/kernel.h"

static inline fv_given give_values(const float *const *each)
{
    return (fv_given){.element = FV_F32, .each = (const void *const *)each};
}

static inline fv_given give_pixels(const uint8_t *const *each)
{
    return (fv_given){.element = FV_U8, .scale = FV_SCALE_PIXELS, .each = (const void *const *)each};
}

static inline fv_given give_labels(const int *labels)
{
    return (fv_given){.element = FV_I32, .first = labels, .step = sizeof *labels};
}

/* The feeds of a model of one input and one class number: an array for the enclosing block. */
#define FEEDS(values, labels) ((const fv_given[]){give_values(values), give_labels(labels)})

#endif
