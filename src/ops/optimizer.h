/* optimizer.h - the description of an optimiser: the operation that changes a parameter, its states per
 * parameter, the words of its text ("adam:beta2=0.99"), and the settings computed from them once per
 * update. */
#ifndef FV_OPS_OPTIMIZER_H
#define FV_OPS_OPTIMIZER_H

#include "ops/ops.h"
#include "plan/lower.h"

#define FV_MAX_OPTIMIZER_WORDS 4
#define FV_OPTIMIZER_TEXT      160

/* The training loop's values for an update. */
typedef struct fv_rates {
    double lr, momentum, weight_decay;
    int64_t update; /* number of the update, from 1 */
} fv_rates;

typedef struct fv_optimizer_word {
    const char *word, *help;
    double min, max, initial; /* inclusive */
} fv_optimizer_word;

typedef struct fv_optimizer {
    const char *name, *help;
    const fv_optimizer_word
        *words; /* its own, beside the learning rate and weight decay, which all optimisers have */
    int n_words;
    bool has_momentum;                /* reads fv_rates.momentum */
    const char *state[FV_MAX_STATES]; /* names, n_states of them; tensors of the parameter's shape */
    int n_states, n_settings;         /* n_settings: floats that the operation reads */
    void (*settings)(const double *words, const fv_rates *rates, float *out);
    const fv_op *update; /* inputs: parameter, gradient, settings, the states */
} fv_optimizer;

#define FV_OPTIMIZER(name) extern const fv_optimizer fv_optimizer_##name;
#include "ops/optimizers.def"
#undef FV_OPTIMIZER

const fv_optimizer *fv__optimizer_at(int index); /* NULL past the last */

/* An optimiser and the values of its words. */
typedef struct fv_optimizer_choice {
    const fv_optimizer *row;
    double word[FV_MAX_OPTIMIZER_WORDS];
} fv_optimizer_choice;

/* Parses "adam" or "adam:beta1=0.8,beta2=0.99". FV_ERR_ARGUMENT says what was expected. */
fv_status fv__optimizer_read(fv_context *ctx, const char *text, fv_optimizer_choice *out);
/* The shortest equivalent text: words in the order of the row, without those at their default. */
void fv__optimizer_show(const fv_optimizer_choice *choice, char text[FV_OPTIMIZER_TEXT]);
/* FV_MAX_SETTINGS floats; those that the operation does not read are 0. */
void fv__optimizer_settings(const fv_optimizer_choice *choice, const fv_rates *rates, float *out);

/* ---- for the operations --------------------------------------------------------------------------- */

/* "decays=1": weight decay applies to the parameter. */
typedef struct fv_update_attrs {
    int decays;
} fv_update_attrs;
extern const fv_attr_spec fv__update_attrs[1];

/* The parameter's shape; the gradient and the states must have the same. */
fv_status fv__update_infer(fv_infer *q);
/* One step over all floats of the parameter. */
fv_status fv__update_lower(fv_lower *l, fv_kernel_id kernel, double flops);
fv_cost fv__update_cost(const void *attrs, const fv_shape *in, fv_shape out);
/* base^n for n >= 0, by squaring: the same bits everywhere. */
double fv__whole_power(double base, int64_t n);

#endif
