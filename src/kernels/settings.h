/* settings.h - the args of parameter updates (optimizers.inc), and the order of their settings. */
#ifndef FV_KERNELS_SETTINGS_H
#define FV_KERNELS_SETTINGS_H

#include <stdbool.h>

typedef struct fv_update_args {
    bool decays; /* weight decay acts on the parameter */
} fv_update_args;

#define FV_MAX_STATES   2
#define FV_MAX_SETTINGS 12

/* Settings: sgd and nesterov. */
enum { FV_SGD_RATE, FV_SGD_MOMENTUM, FV_SGD_DECAY, FV_SGD_SETTINGS };

/* adam: RATE is lr / (1 - beta1^t), REST is 1 - beta, ROOT is 1 / sqrt(1 - beta2^t). */
enum {
    FV_ADAM_RATE,
    FV_ADAM_BETA1,
    FV_ADAM_REST1,
    FV_ADAM_BETA2,
    FV_ADAM_REST2,
    FV_ADAM_ROOT,
    FV_ADAM_EPS,
    FV_ADAM_DECAY, /* share of the parameter that is added to the gradient */
    FV_ADAM_KEEP,  /* factor of the parameter */
    FV_ADAM_SETTINGS
};

#endif
