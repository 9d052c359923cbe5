/* adam.c - Adam (Kingma and Ba 2015, algorithm 1) and AdamW (Loshchilov and Hutter 2019, algorithm 2), as in
 * PyTorch. Update t, counted from 1:
 *
 *   adam:   g += weight_decay p            adamw:  p -= lr weight_decay p        (parameters that decay)
 *   m = beta1 m + (1 - beta1) g            v = beta2 v + (1 - beta2) g^2
 *   p -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *
 * Both are one operation: the settings say which of the two decays is not 0. */
#include "ops/optimizer.h"

#include <math.h>

enum { BETA1, BETA2, EPS };

/* A beta of 1 would divide by 1 - 1 = 0. */
static const fv_optimizer_word words[] = {
    [BETA1] = {"beta1", "share of the old mean of gradients that is kept", 0, 0.999999, 0.9},
    [BETA2] = {"beta2", "share of the old mean of their squares that is kept", 0, 0.999999, 0.999},
    [EPS] = {"eps", "added to the root of that mean", 1e-30, 1, 1e-8},
};

static void settings_both(const double *word, const fv_rates *rates, float *out)
{
    out[FV_ADAM_RATE] = (float)(rates->lr / (1 - fv__whole_power(word[BETA1], rates->update)));
    out[FV_ADAM_BETA1] = (float)word[BETA1];
    out[FV_ADAM_REST1] = (float)(1 - word[BETA1]);
    out[FV_ADAM_BETA2] = (float)word[BETA2];
    out[FV_ADAM_REST2] = (float)(1 - word[BETA2]);
    out[FV_ADAM_ROOT] = (float)(1 / sqrt(1 - fv__whole_power(word[BETA2], rates->update)));
    out[FV_ADAM_EPS] = (float)word[EPS];
    out[FV_ADAM_KEEP] = 1;
}

static void settings_adam(const double *word, const fv_rates *rates, float *out)
{
    settings_both(word, rates, out);
    out[FV_ADAM_DECAY] = (float)rates->weight_decay;
}

static void settings_adamw(const double *word, const fv_rates *rates, float *out)
{
    settings_both(word, rates, out);
    out[FV_ADAM_KEEP] = (float)(1 - rates->lr * rates->weight_decay);
}

static void ref(const fv_ref *r)
{
    const double *const set = r->in[2];
    const bool decays = ((const fv_update_attrs *)r->attrs)->decays;
    const double decay = decays ? set[FV_ADAM_DECAY] : 0, keep = decays ? set[FV_ADAM_KEEP] : 1;
    double *const p = r->changed[0], *const m = r->changed[3], *const v = r->changed[4];
    for (int64_t i = 0; i < fv__shape_count(r->out_shape); i++) {
        const double g = r->in[1][i] + decay * p[i];
        m[i] = set[FV_ADAM_BETA1] * m[i] + set[FV_ADAM_REST1] * g;
        v[i] = set[FV_ADAM_BETA2] * v[i] + set[FV_ADAM_REST2] * g * g;
        p[i] = keep * p[i] - set[FV_ADAM_RATE] * m[i] / (set[FV_ADAM_ROOT] * sqrt(v[i]) + set[FV_ADAM_EPS]);
    }
}

static fv_status lower(fv_lower *l)
{
    return fv__update_lower(l, FV_KERNEL_adam, 16);
}

#define SETTINGS                                                                                             \
    {                                                                                                        \
        1,                                                                                                   \
        {                                                                                                    \
            FV_ADAM_SETTINGS                                                                                 \
        }                                                                                                    \
    }
static const fv_case cases[] = {
    {1, {{1, {1}}, {1, {1}}, SETTINGS, {1, {1}}, {1, {1}}}, "decays=1"},
    {1, {{1, {17}}, {1, {17}}, SETTINGS, {1, {17}}, {1, {17}}}, "decays=1"},
    {1, {{2, {5, 7}}, {2, {5, 7}}, SETTINGS, {2, {5, 7}}, {2, {5, 7}}}, ""},
    {1, {{4, {5, 3, 3, 3}}, {4, {5, 3, 3, 3}}, SETTINGS, {4, {5, 3, 3, 3}}, {4, {5, 3, 3, 3}}}, "decays=1"},
};

const fv_op fv_op_adam = {
    .name = "adam",
    .part = FV_PART_UPDATE,
    .out = FV_ROLE_STATE,
    .n_inputs = 5,
    .role = {FV_ROLE_PARAMETER, FV_ROLE_GRADIENT, FV_ROLE_SETTING, FV_ROLE_STATE, FV_ROLE_STATE},
    .changes = 1u << 0 | 1u << 3 | 1u << 4,
    .attr_bytes = sizeof(fv_update_attrs),
    .attrs = fv__update_attrs,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = fv__update_infer,
    .ref = ref,
    .lower = lower,
    .cost = fv__update_cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};

const fv_optimizer fv_optimizer_adam = {
    .name = "adam",
    .help = "steps of a size of their own for each parameter",
    .words = words,
    .n_words = sizeof words / sizeof *words,
    .state = {"exp_avg", "exp_avg_sq"},
    .n_states = 2,
    .n_settings = FV_ADAM_SETTINGS,
    .settings = settings_adam,
    .update = &fv_op_adam,
};

const fv_optimizer fv_optimizer_adamw = {
    .name = "adamw",
    .help = "adam, with weight decay apart from the gradient",
    .words = words,
    .n_words = sizeof words / sizeof *words,
    .state = {"exp_avg", "exp_avg_sq"},
    .n_states = 2,
    .n_settings = FV_ADAM_SETTINGS,
    .settings = settings_adamw,
    .update = &fv_op_adam,
};
