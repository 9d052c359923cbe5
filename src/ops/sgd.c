/* sgd.c - stochastic gradient descent with momentum and weight decay, as in PyTorch.
 *
 *   g += weight_decay p (parameters that decay);  v = momentum v + g
 *   sgd:       p -= lr v
 *   nesterov:  p -= lr (g + momentum v) */
#include "ops/optimizer.h"

static void settings(const double *words, const fv_rates *rates, float *out)
{
    (void)words;
    out[FV_SGD_RATE] = (float)rates->lr;
    out[FV_SGD_MOMENTUM] = (float)rates->momentum;
    out[FV_SGD_DECAY] = (float)rates->weight_decay;
}

static void take_step(const fv_ref *r, bool nesterov)
{
    const double *const set = r->in[2];
    const double decay = ((const fv_update_attrs *)r->attrs)->decays ? set[FV_SGD_DECAY] : 0;
    double *const p = r->changed[0], *const v = r->changed[3];
    for (int64_t i = 0; i < fv__shape_count(r->out_shape); i++) {
        const double g = r->in[1][i] + decay * p[i];
        v[i] = set[FV_SGD_MOMENTUM] * v[i] + g;
        p[i] -= set[FV_SGD_RATE] * (nesterov ? g + set[FV_SGD_MOMENTUM] * v[i] : v[i]);
    }
}

static void ref_sgd(const fv_ref *r)
{
    take_step(r, false);
}

static void ref_nesterov(const fv_ref *r)
{
    take_step(r, true);
}

static fv_status lower_sgd(fv_lower *l)
{
    return fv__update_lower(l, FV_KERNEL_sgd, 6);
}

static fv_status lower_nesterov(fv_lower *l)
{
    return fv__update_lower(l, FV_KERNEL_nesterov, 8);
}

#define SETTINGS                                                                                             \
    {                                                                                                        \
        1,                                                                                                   \
        {                                                                                                    \
            FV_SGD_SETTINGS                                                                                  \
        }                                                                                                    \
    }
static const fv_case cases[] = {
    {1, {{1, {1}}, {1, {1}}, SETTINGS, {1, {1}}}, "decays=1"},
    {1, {{1, {17}}, {1, {17}}, SETTINGS, {1, {17}}}, "decays=1"},
    {1, {{2, {5, 7}}, {2, {5, 7}}, SETTINGS, {2, {5, 7}}}, ""},
    {1, {{4, {5, 3, 3, 3}}, {4, {5, 3, 3, 3}}, SETTINGS, {4, {5, 3, 3, 3}}}, "decays=1"},
};

const fv_op fv_op_sgd = {
    .name = "sgd",
    .part = FV_PART_UPDATE,
    .out = FV_ROLE_STATE,
    .n_inputs = 4,
    .role = {FV_ROLE_PARAMETER, FV_ROLE_GRADIENT, FV_ROLE_SETTING, FV_ROLE_STATE},
    .changes = 1u << 0 | 1u << 3,
    .attr_bytes = sizeof(fv_update_attrs),
    .attrs = fv__update_attrs,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = fv__update_infer,
    .ref = ref_sgd,
    .lower = lower_sgd,
    .cost = fv__update_cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};

const fv_op fv_op_nesterov = {
    .name = "nesterov",
    .part = FV_PART_UPDATE,
    .out = FV_ROLE_STATE,
    .n_inputs = 4,
    .role = {FV_ROLE_PARAMETER, FV_ROLE_GRADIENT, FV_ROLE_SETTING, FV_ROLE_STATE},
    .changes = 1u << 0 | 1u << 3,
    .attr_bytes = sizeof(fv_update_attrs),
    .attrs = fv__update_attrs,
    .n_attrs = 1,
    .no_gradient = true,
    .infer = fv__update_infer,
    .ref = ref_nesterov,
    .lower = lower_nesterov,
    .cost = fv__update_cost,
    .cases = cases,
    .n_cases = sizeof cases / sizeof *cases,
};

const fv_optimizer fv_optimizer_sgd = {
    .name = "sgd",
    .help = "gradient descent with momentum",
    .has_momentum = true,
    .state = {"momentum"},
    .n_states = 1,
    .n_settings = FV_SGD_SETTINGS,
    .settings = settings,
    .update = &fv_op_sgd,
};

const fv_optimizer fv_optimizer_nesterov = {
    .name = "nesterov",
    .help = "gradient descent with Nesterov's momentum",
    .has_momentum = true,
    .state = {"momentum"},
    .n_states = 1,
    .n_settings = FV_SGD_SETTINGS,
    .settings = settings,
    .update = &fv_op_nesterov,
};
