/* unary.c - the elementwise activations, generated from the rows of kernels/unary.def: shape rule,
 * gradient, reference, lowering, layer word. */
#include "ops/unary.h"

#include "ops/layer_shapes.h"

#include <math.h>

fv_status fv__unary_infer(fv_infer *q)
{
    char first[FV_SHAPE_TEXT], second[FV_SHAPE_TEXT];
    q->out = q->input[0]->shape;
    if (q->n_inputs > 1 && !fv__shape_equal(q->out, q->input[1]->shape))
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: expected two inputs of one shape; found %s ('%s') and %s ('%s')", q->what,
                        fv__shape_text(q->out, first), q->input[0]->name,
                        fv__shape_text(q->input[1]->shape, second), q->input[1]->name);
    return FV_OK;
}

fv_cost fv__unary_cost(const void *attrs, const fv_shape *in, fv_shape out)
{
    (void)attrs;
    const double n = (double)fv__shape_count(out);
    const bool binary = in[1].rank > 0;
    return (fv_cost){n, 4 * n * (binary ? 3 : 2)};
}

const fv_case fv__unary_cases[FV_N_UNARY_CASES] = {
    {17, {{3, {3, 5, 7}}}, ""}, {16, {{3, {5, 4, 4}}}, ""}, {15, {{3, {17, 1, 3}}}, ""},
    {1, {{3, {1, 1, 1}}}, ""},  {17, {{1, {17}}}, ""},      {1, {{1, {129}}}, ""},
};

const fv_case fv__binary_cases[FV_N_BINARY_CASES] = {
    {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, ""},
    {16, {{3, {5, 4, 4}}, {3, {5, 4, 4}}}, ""},
    {15, {{3, {17, 1, 3}}, {3, {17, 1, 3}}}, ""},
    {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, ""},
    {17, {{1, {17}}, {1, {17}}}, ""},
};

/* ---- functions for the rows' formulas in double ------------------------------------------------------- */

/* The cumulative distribution function of the standard normal distribution. */
static double normal_below(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* ---- functions that all activations share ------------------------------------------------------------- */

typedef double (*unary_fn)(double v, double p, double q, double at0);
typedef int (*piece_fn)(double x, double p, double q);

enum { FV_CHEAP = 1, FV_RELU = 2, FV_KINKS = 4, FV_LIMITS = 8, FV_SHARES = 16 };

static fv_unary_attrs attrs_of(const void *attrs)
{
    return attrs ? *(const fv_unary_attrs *)attrs : (fv_unary_attrs){0};
}

/* FV_LIMITS: p and q are the smallest and the largest value. */
static fv_status infer_limits(fv_infer *q)
{
    const fv_unary_attrs a = attrs_of(q->attrs);
    if (!(a.p < a.q))
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected min below max, found min=%s max=%s", q->what,
                        fv__general((double)a.p, 6).text, fv__general((double)a.q, 6).text);
    return fv__unary_infer(q);
}

static void ref_value(const fv_ref *r, unary_fn f)
{
    const fv_unary_attrs a = attrs_of(r->attrs);
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    for (int64_t i = 0; i < n; i++)
        r->out[i] = f(r->in[0][i], (double)a.p, (double)a.q, a.at0);
}

static void ref_slope(const fv_ref *r, unary_fn slope)
{
    const fv_unary_attrs a = attrs_of(r->attrs);
    const int64_t n = r->n * fv__shape_count(r->out_shape);
    for (int64_t i = 0; i < n; i++)
        r->out[i] = r->in[0][i] * slope(r->in[1][i], (double)a.p, (double)a.q, a.at0);
}

static uint64_t side_by(const fv_ref *r, piece_fn piece)
{
    const fv_unary_attrs a = attrs_of(r->attrs);
    const int64_t n = r->n * fv__shape_count(r->in_shape[0]);
    uint64_t hash = FV_HASH_SIDES;
    for (int64_t i = 0; i < n; i++)
        hash = fv__hash_side(hash, piece(r->in[0][i], (double)a.p, (double)a.q));
    return hash;
}

fv_unary_args fv__unary_args(fv_unary function, const void *attrs, int64_t n)
{
    const fv_unary_attrs a = attrs_of(attrs);
    return (fv_unary_args){.function = function, .n = n, .p = a.p, .q = a.q, .at0 = (float)a.at0};
}

static fv_status lower_by(fv_lower *l, fv_unary function)
{
    const fv_unary_args args = fv__unary_args(function, l->attrs, fv__shape_count(l->out_shape));
    return fv__lower_simple(l, l->n_inputs == 1 ? FV_KERNEL_unary : FV_KERNEL_unary_dx, &args, sizeof args);
}

/* ---- the rows --------------------------------------------------------------------------------------- */

#define FV_NONE
#define FV_WORDS(...) __VA_ARGS__,
#define FV_P(text, least, most, here)                                                                        \
    {                                                                                                        \
        text, FV_ATTR_FLOAT, offsetof(fv_unary_attrs, p), least, most, here                                  \
    }
#define FV_Q(text, least, most, here)                                                                        \
    {                                                                                                        \
        text, FV_ATTR_FLOAT, offsetof(fv_unary_attrs, q), least, most, here                                  \
    }
#define FV_AT0                                                                                               \
    {                                                                                                        \
        "at0", FV_ATTR_INT, offsetof(fv_unary_attrs, at0), 0, 1, 0                                           \
    }
#define FV_CASES(a, b, c)  a, b, c
#define FV_BOUNDS(a, b, c) a, b, c
/* The attributes of a row: its words, followed by one that belongs to no fn, so that the array is never
 * empty. */
#define FV_HAS_WORDS(fn) (sizeof fn##_words / sizeof *fn##_words > 1)
#define FV_TAKES_WORDS(fn)                                                                                   \
    .attr_bytes = FV_HAS_WORDS(fn) ? sizeof(fv_unary_attrs) : 0,                                             \
    .attrs = FV_HAS_WORDS(fn) ? fn##_words : NULL,                                                           \
    .n_attrs = (int)(sizeof fn##_words / sizeof *fn##_words) - 1
/* Shapes, with each of the attributes to try, for (x) and for (dy, v). */
#define FV_CASES_OF(a, b, c)                                                                                 \
    {                                                                                                        \
        {17, {{3, {3, 5, 7}}}, ""}, {16, {{3, {5, 4, 4}}}, a}, {15, {{3, {17, 1, 3}}}, b},                   \
            {1, {{3, {1, 1, 1}}}, c}, {17, {{1, {17}}}, b}, {1, {{1, {129}}}, a},                            \
            {2, {{4, {2, 3, 1, 5}}}, ""},                                                                    \
        {                                                                                                    \
            3, {{2, {3, 7}}}, ""                                                                             \
        }                                                                                                    \
    }
#define FV_CASES_DX_OF(a, b, c)                                                                              \
    {                                                                                                        \
        {17, {{3, {3, 5, 7}}, {3, {3, 5, 7}}}, ""}, {16, {{3, {5, 4, 4}}, {3, {5, 4, 4}}}, a},               \
            {15, {{1, {17}}, {1, {17}}}, b}, {1, {{3, {1, 1, 1}}, {3, {1, 1, 1}}}, c},                       \
        {                                                                                                    \
            15, {{3, {17, 1, 3}}, {3, {17, 1, 3}}}, ""                                                       \
        }                                                                                                    \
    }
#define FV_EXPAND(macro, ...) macro(__VA_ARGS__)

/* The functions of a row. */
#define FV_UNARY(fn, text, line, words, cases, traits, from, value, slope, value_of, slope_of, piece_of,     \
                 bounds)                                                                                     \
    static const fv_attr_spec fn##_words[] = {words{.word = NULL}};                                          \
    static double fn##_value(double x, double p, double q, double at0)                                       \
    {                                                                                                        \
        (void)p, (void)q, (void)at0;                                                                         \
        return value_of;                                                                                     \
    }                                                                                                        \
    static double fn##_slope(double v, double p, double q, double at0)                                       \
    {                                                                                                        \
        (void)v, (void)p, (void)q, (void)at0;                                                                \
        return slope_of;                                                                                     \
    }                                                                                                        \
    static int fn##_piece(double x, double p, double q)                                                      \
    {                                                                                                        \
        (void)x, (void)p, (void)q;                                                                           \
        return piece_of;                                                                                     \
    }                                                                                                        \
    static bool fn##_from(const void *attrs)                                                                 \
    {                                                                                                        \
        const int at0 = attrs_of(attrs).at0;                                                                 \
        (void)at0;                                                                                           \
        return from;                                                                                         \
    }                                                                                                        \
    static void fn##_ref(const fv_ref *r)                                                                    \
    {                                                                                                        \
        ref_value(r, fn##_value);                                                                            \
    }                                                                                                        \
    static void fn##_ref_dx(const fv_ref *r)                                                                 \
    {                                                                                                        \
        ref_slope(r, fn##_slope);                                                                            \
    }                                                                                                        \
    static uint64_t fn##_side(const fv_ref *r)                                                               \
    {                                                                                                        \
        return side_by(r, fn##_piece);                                                                       \
    }                                                                                                        \
    static fv_status fn##_lower(fv_lower *l)                                                                 \
    {                                                                                                        \
        return lower_by(l, FV_UNARY_##fn);                                                                   \
    }                                                                                                        \
    static fv_status fn##_grad(fv_grad *g)                                                                   \
    {                                                                                                        \
        const int inputs[] = {g->dy, fn##_from(g->node->attrs) ? g->node->output : g->node->input[0]};       \
        return fv__grad_node(g, &fv_op_##fn##_dx, "dx", g->node->attrs, 2, inputs, FV_ROLE_VALUE, -1,        \
                             &g->dx[0]);                                                                     \
    }
#define FV_FLAT(fn, text, line, value, value_of)                                                             \
    static double fn##_value(double x, double p, double q, double at0)                                       \
    {                                                                                                        \
        (void)p, (void)q, (void)at0;                                                                         \
        return value_of;                                                                                     \
    }                                                                                                        \
    static void fn##_ref(const fv_ref *r)                                                                    \
    {                                                                                                        \
        ref_value(r, fn##_value);                                                                            \
    }                                                                                                        \
    static int fn##_piece(double x, double p, double q)                                                      \
    {                                                                                                        \
        (void)p, (void)q;                                                                                    \
        return (x > 0) - (x < 0);                                                                            \
    }                                                                                                        \
    static uint64_t fn##_side(const fv_ref *r)                                                               \
    {                                                                                                        \
        return side_by(r, fn##_piece);                                                                       \
    }                                                                                                        \
    static fv_status fn##_lower(fv_lower *l)                                                                 \
    {                                                                                                        \
        return lower_by(l, FV_UNARY_##fn);                                                                   \
    }
#include "kernels/unary.def"
#undef FV_UNARY
#undef FV_FLAT

/* The operations of a row. */
#define FV_UNARY(fn, text, line, words, cases_of, traits, ...)                                               \
    static const fv_case fn##_cases[] = FV_EXPAND(FV_CASES_OF, cases_of);                                    \
    static const fv_case fn##_cases_dx[] = FV_EXPAND(FV_CASES_DX_OF, cases_of);                              \
    static const fv_layer_kind fn##_layers[] = {{.word = #text, .help = line, .op = &fv_op_##fn}};           \
    const fv_op fv_op_##fn = {                                                                               \
        .name = #fn,                                                                                         \
        .n_inputs = 1,                                                                                       \
        .role = {FV_ROLE_VALUE},                                                                             \
        .in_place = 1,                                                                                       \
        .cheap = ((traits)&FV_CHEAP) != 0,                                                                   \
        .finish = (traits)&FV_RELU ? FV_FINISH_RELU : FV_FINISH_NONE,                                        \
        .by_channel = true,                                                                                  \
        FV_TAKES_WORDS(fn),                                                                                  \
        .gives_probabilities = ((traits)&FV_SHARES) != 0,                                                    \
        .side = (traits)&FV_KINKS ? fn##_side : NULL,                                                        \
        .infer = (traits)&FV_LIMITS ? infer_limits : fv__unary_infer,                                        \
        .grad = fn##_grad,                                                                                   \
        .ref = fn##_ref,                                                                                     \
        .lower = fn##_lower,                                                                                 \
        .cost = fv__unary_cost,                                                                              \
        .cases = fn##_cases,                                                                                 \
        .n_cases = sizeof fn##_cases / sizeof *fn##_cases,                                                   \
        FV_LAYERS(fn##_layers),                                                                              \
    };                                                                                                       \
    const fv_op fv_op_##fn##_dx = {                                                                          \
        .name = #fn "_dx",                                                                                   \
        .family = #fn,                                                                                       \
        .part = FV_PART_DATA,                                                                                \
        .n_inputs = 2,                                                                                       \
        .role = {FV_ROLE_VALUE, FV_ROLE_VALUE},                                                              \
        .in_place = (traits)&FV_CHEAP ? 3 : 1,                                                               \
        .no_gradient = true,                                                                                 \
        FV_TAKES_WORDS(fn),                                                                                  \
        .infer = fv__unary_infer,                                                                            \
        .ref = fn##_ref_dx,                                                                                  \
        .lower = fn##_lower,                                                                                 \
        .cost = fv__unary_cost,                                                                              \
        .cases = fn##_cases_dx,                                                                              \
        .n_cases = sizeof fn##_cases_dx / sizeof *fn##_cases_dx,                                             \
    };
#define FV_FLAT(fn, text, line, ...)                                                                         \
    static const fv_layer_kind fn##_layers[] = {{.word = #text, .help = line, .op = &fv_op_##fn}};           \
    const fv_op fv_op_##fn = {                                                                               \
        .name = #fn,                                                                                         \
        .n_inputs = 1,                                                                                       \
        .role = {FV_ROLE_VALUE},                                                                             \
        .in_place = 1,                                                                                       \
        .by_channel = true,                                                                                  \
        .no_gradient = true,                                                                                 \
        .side = fn##_side,                                                                                   \
        .infer = fv__unary_infer,                                                                            \
        .ref = fn##_ref,                                                                                     \
        .lower = fn##_lower,                                                                                 \
        .cost = fv__unary_cost,                                                                              \
        .cases = fv__unary_cases,                                                                            \
        .n_cases = FV_N_UNARY_CASES,                                                                         \
        FV_LAYERS(fn##_layers),                                                                              \
    };
#include "kernels/unary.def"
#undef FV_UNARY
#undef FV_FLAT

const fv_unary_row fv__unary_rows[FV_N_UNARY] = {
#define FV_UNARY(fn, text, line, words, cases_of, traits, from, value, slope, value_of, slope_of, piece,     \
                 bounds)                                                                                     \
    {&fv_op_##fn, &fv_op_##fn##_dx, {cases_of}, fn##_from, bounds},
#define FV_FLAT(fn, ...) {&fv_op_##fn, NULL, {"", "", ""}, NULL, 0, 0, 0},
#include "kernels/unary.def"
#undef FV_UNARY
#undef FV_FLAT
};
