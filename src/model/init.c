/* init.c - the initial values of parameters.
 *
 *     normal   N(0, s)
 *     uniform  U(-s, s)
 *     xavier   U(-a, a), a = sqrt(6 / (fan_in + fan_out))     Glorot and Bengio 2010, equation 16
 *     he       N(0, sqrt(2 / fan_in))                         He et al. 2015, equation 10
 *     lecun    N(0, sqrt(1 / fan_in))                         LeCun et al. 1998, "Efficient BackProp", 4.6
 *
 * Values are drawn in double from the counter (position, index of the parameter, 0, FV_STREAM_INIT) and
 * rounded once, so the bits are the same on every machine. */
#include "base/rng.h"
#include "model/model.h"

/* The deviation of a normal draw or the half width of a uniform one. */
static double spread(const fv_init *init)
{
    const int fan_in = init->fan_in > 0 ? init->fan_in : 1;
    const double fan_sum = (double)fan_in + (init->fan_out > 0 ? init->fan_out : 1);
    switch (init->kind) {
    case FV_INIT_ZERO:
        return 0;
    case FV_INIT_XAVIER:
        return fv__sqrt(6.0 / fan_sum);
    case FV_INIT_HE:
        return fv__sqrt(2.0 / fan_in);
    case FV_INIT_LECUN:
        return fv__sqrt(1.0 / fan_in);
    case FV_INIT_CONSTANT:
    case FV_INIT_NORMAL:
    case FV_INIT_UNIFORM:
        return init->scale;
    }
    return 0;
}

void fv__init_draw(const fv_init *init, uint64_t seed, uint32_t index, float *values, size_t n)
{
    fv_rng rng = fv__rng(seed, FV_STREAM_INIT, index, 0);
    const double s = spread(init);
    const bool normal =
        init->kind == FV_INIT_NORMAL || init->kind == FV_INIT_HE || init->kind == FV_INIT_LECUN;
    const bool uniform = init->kind == FV_INIT_UNIFORM || init->kind == FV_INIT_XAVIER;
    for (size_t i = 0; i < n; i++) {
        if (normal)
            values[i] = (float)(s * fv__rng_normal(&rng));
        else if (uniform)
            values[i] = (float)(s * (2 * fv__rng_uniform(&rng) - 1));
        else
            values[i] = (float)s;
    }
}
