/* test_vec_math.c - the elementary functions of the kernels: accuracy against libm in double, the same bits
 * on every instruction set, NaN and infinity; kernel_unary and kernel_unary_dx against the operations'
 * references.
 *
 * Bounds are in units of the last place of the float result. exp flushes to 0 under 2^-125, and what is
 * computed from it with it, so truths below that only must come out below that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "kernels/args.h"
#include "kernels/kernel.h"
#include "kernels/vec.h"
#include "kernels/vec_math.inc" /* the portable build of the functions that no kernel offers bare */
#include "ops/ops.h"
#include "ops/unary.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 4096 };

static const float specials[] = {
    0.0f,    -0.0f,    1e-45f,   -1e-45f,   1e-40f, -1e-40f, FLT_MIN,    -FLT_MIN,    1e-30f, -1e-30f,
    1e-8f,   -1e-8f,   1e-4f,    -1e-4f,    0.2f,   -0.2f,   1.0f,       -1.0f,       9.01f,  -9.01f,
    16.7f,   -16.7f,   86.9f,    -86.9f,    87.0f,  -87.0f,  87.4f,      -87.4f,      88.7f,  -88.7f,
    88.73f,  -88.73f,  89.5f,    -89.5f,    103.9f, -103.9f, 150.0f,     -150.0f,     1e10f,  -1e10f,
    FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN,    -NAN,    0.3465736f, -0.3465736f,
};
enum { N_SPECIALS = sizeof specials / sizeof *specials };

/* Fills CHUNK floats: first the specials, then every 8191st bit pattern, then [-20, 20] evenly. */
enum { N_CHUNKS = 256 };
static void fill(float *x, int chunk)
{
    for (int i = 0; i < CHUNK; i++) {
        const uint32_t at = (uint32_t)(chunk * CHUNK + i), bits = at * 8191u;
        if (chunk == 0 && i < N_SPECIALS)
            x[i] = specials[i];
        else if (chunk % 2)
            memcpy(&x[i], &bits, sizeof bits);
        else
            x[i] = -20.0f + 40.0f * (float)at / (float)(N_CHUNKS * CHUNK);
    }
}

static double ulps(float found, double truth)
{
    int exponent;
    if (isnan(truth) || isnan(found))
        return isnan(truth) && isnan(found) ? 0 : INFINITY;
    if (fabs(truth) > (double)FLT_MAX * (1 + 0x1p-25))
        return isinf(found) && (found < 0) == (truth < 0) ? 0 : INFINITY;
    if (fabs(truth) < 0x1p-125)
        return fabs((double)found) <= 0x1p-125 ? 0 : INFINITY;
    frexp(truth, &exponent);
    return fabs((double)found - truth) / ldexp(1, exponent - 24);
}

/* ---- accuracy ------------------------------------------------------------------------------------- */

typedef fv_v (*vector_fn)(fv_v x);
static fv_v call_exp(fv_v x)
{
    return v_exp(x);
}
static fv_v call_log(fv_v x)
{
    return v_log(x);
}
static fv_v call_tanh(fv_v x)
{
    return v_tanh(x);
}
static fv_v call_sigmoid(fv_v x)
{
    return v_sigmoid(x);
}
static fv_v call_softplus(fv_v x)
{
    return v_softplus(x);
}
static fv_v call_normal(fv_v x)
{
    fv_v density;
    return v_normal(x, &density);
}
static fv_v call_density(fv_v x)
{
    fv_v density;
    v_normal(x, &density);
    return density;
}
static double normal(double x)
{
    return erfc(-x * 0.70710678118654752440) / 2;
}
static double density(double x)
{
    return exp(-x * x / 2) * 0.39894228040143267794;
}
static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x))) + (isnan(x) ? x : 0);
}

static void check_accuracy(const char *name, vector_fn f, double (*truth)(double), double bound)
{
    static float x[CHUNK];
    double worst = 0, worst_at = 0;
    for (int chunk = 0; chunk < N_CHUNKS; chunk++) {
        fill(x, chunk);
        for (int i = 0; i < CHUNK; i += FV_V) {
            float y[FV_V];
            fv_store(y, f(fv_load(x + i)));
            for (int l = 0; l < FV_V; l++) {
                const double error = ulps(y[l], truth((double)x[i + l]));
                if (error > worst) {
                    worst = error;
                    worst_at = (double)x[i + l];
                }
            }
        }
    }
    if (worst > bound)
        fail_msg("%s(%.9g): %.3f ulp; at most %.1f are allowed", name, worst_at, worst, bound);
    print_message("%s: at most %.3f ulp, at %.9g\n", name, worst, worst_at);
}

static void test_exp(void **state)
{
    (void)state;
    check_accuracy("exp", call_exp, exp, 1.5);
}
static void test_log(void **state)
{
    (void)state;
    check_accuracy("log", call_log, log, 1.5);
}
static void test_tanh(void **state)
{
    (void)state;
    check_accuracy("tanh", call_tanh, tanh, 3);
}
static void test_sigmoid(void **state)
{
    (void)state;
    check_accuracy("sigmoid", call_sigmoid, sigmoid, 3);
}
static void test_softplus(void **state)
{
    (void)state;
    check_accuracy("softplus", call_softplus, softplus, 2.5);
}

static void test_normal(void **state)
{
    (void)state;
    check_accuracy("normal", call_normal, normal, 7);
    check_accuracy("density", call_density, density, 3);
}

static float one(vector_fn f, float x)
{
    float y[FV_V];
    fv_store(y, f(fv_set1(x)));
    return y[FV_V - 1];
}

static void test_limits(void **state)
{
    (void)state;
    assert_true(isinf(one(call_exp, 88.73f)) && isinf(one(call_exp, INFINITY)));
    assert_true(isfinite(one(call_exp, 88.72f)));
    assert_true(one(call_exp, -INFINITY) == 0.0f && one(call_exp, 0.0f) == 1.0f);
    assert_true(one(call_log, 0.0f) == -INFINITY && one(call_log, -0.0f) == -INFINITY);
    assert_true(one(call_log, INFINITY) == INFINITY && one(call_log, 1.0f) == 0.0f);
    assert_true(isnan(one(call_log, -1.0f)) && isnan(one(call_log, -INFINITY)));
    assert_true(one(call_tanh, INFINITY) == 1.0f && one(call_tanh, -INFINITY) == -1.0f);
    assert_true(one(call_tanh, -0.0f) == 0.0f && signbit(one(call_tanh, -0.0f)));
    assert_true(one(call_tanh, 1e-45f) == 1e-45f);
    assert_true(one(call_sigmoid, INFINITY) == 1.0f && one(call_sigmoid, -INFINITY) == 0.0f);
    assert_true(one(call_softplus, INFINITY) == INFINITY && one(call_softplus, -INFINITY) == 0.0f);
    assert_true(one(call_normal, INFINITY) == 1.0f && one(call_normal, -INFINITY) == 0.0f);
    assert_true(one(call_density, INFINITY) == 0.0f && one(call_density, -INFINITY) == 0.0f);
    assert_true(one(call_normal, 0.0f) == 0.5f && one(call_normal, -0.0f) == 0.5f);
    const vector_fn all[] = {call_exp,      call_log,    call_tanh,   call_sigmoid,
                             call_softplus, call_normal, call_density};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_true(isnan(one(all[i], NAN)));
}

/* Summands of very different size: another order of adding gives another sum. */
static void test_lane_sum_is_the_tree(void **state)
{
    (void)state;
    float v[16], a[8], b[4];
    for (int l = 0; l < 16; l++)
        v[l] = (l % 4 == 0 ? 1e8f : l % 4 == 2 ? -1e8f : 0.0f) + (float)(l * l) + 0.3f;
    for (int l = 0; l < 8; l++)
        a[l] = v[l] + v[l + 8];
    for (int l = 0; l < 4; l++)
        b[l] = a[l] + a[l + 4];
    const float c0 = b[0] + b[2], c1 = b[1] + b[3];
    assert_true(lane_sum(v) == c0 + c1);
    float in_order = 0;
    for (int l = 0; l < 16; l++)
        in_order += v[l];
    assert_true(in_order != c0 + c1);
}

/* ---- every instruction set ------------------------------------------------------------------------ */

/* A row of kernels/unary.def with its attributes. */
typedef struct unary_case {
    char name[64]; /* "elu alpha=0.5" */
    fv_unary function;
    const fv_unary_row *row;
    fv_unary_attrs attrs;
    bool reads_output; /* the gradient reads y */
} unary_case;

enum { MAX_UNARY_CASES = 3 * FV_N_UNARY };
static unary_case unary_cases[MAX_UNARY_CASES];
static int n_unary_cases;

/* Every row with every choice of attributes that it names. */
static int fill_unary_cases(void **state)
{
    (void)state;
    fv_context *ctx = NULL;
    assert_int_equal(fv_context_create(NULL, &ctx, NULL, 0), FV_OK);
    for (int f = 0; f < FV_N_UNARY; f++)
        for (int k = 0; k < 3; k++) {
            const fv_unary_row *const row = &fv__unary_rows[f];
            unary_case *const c = &unary_cases[n_unary_cases];
            char words[64], *rest = words;
            if (k > 0 && *row->cases[k] == '\0')
                continue;
            *c = (unary_case){.function = (fv_unary)f, .row = row};
            snprintf(c->name, sizeof c->name, "%s %s", row->op->name, row->cases[k]);
            snprintf(words, sizeof words, "%s", row->cases[k]);
            if (row->op->attr_bytes)
                fv__attrs_default(row->op, &c->attrs);
            for (char *word; (word = strtok_r(rest, " ", &rest));) {
                char *const value = strchr(word, '=');
                *value = '\0';
                assert_int_equal(fv__attrs_set(ctx, row->op, &c->attrs, word, value + 1, c->name), FV_OK);
            }
            c->reads_output = row->from_output && row->from_output(&c->attrs);
            n_unary_cases++;
        }
    fv_context_destroy(ctx);
    return 0;
}

/* Two blocks of CHUNK / 32 vectors each. */
static void run_unary(const fv_kernels *kernels, const unary_case *c, float *y, const float *x,
                      const float *v)
{
    const fv_unary_args args = fv__unary_args(c->function, &c->attrs, CHUNK / 32);
    const fv_batch batch = {.n = 32};
    const int64_t stride = CHUNK / 2;
    const fv_call call = {.args = &args,
                          .p = {y, (float *)x, (float *)v},
                          .stride = {stride, stride, stride},
                          .n_blocks = 2,
                          .batch = &batch};
    kernels->run[v ? FV_KERNEL_unary_dx : FV_KERNEL_unary](&call);
}

static bool same_bits(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static void check_same_bits(fv_isa isa)
{
    static float x[CHUNK], dy[CHUNK], y[CHUNK], y_isa[CHUNK], dx[CHUNK], dx_isa[CHUNK];
    const fv_kernels *const portable = fv__kernels(FV_ISA_PORTABLE), *const kernels = fv__kernels(isa);
    if (!kernels || !fv__cpu_has(isa)) {
        print_message("this machine or build lacks %s\n", fv__isa_name(isa));
        skip();
    }
    for (int i = 0; i < CHUNK; i++)
        dy[i] = (float)(i % 37) - 18.3f;
    for (int k = 0; k < n_unary_cases; k++)
        for (int chunk = 0; chunk < 64; chunk++) {
            const unary_case *const c = &unary_cases[k];
            fill(x, chunk);
            run_unary(portable, c, y, x, NULL);
            run_unary(kernels, c, y_isa, x, NULL);
            if (!same_bits(y, y_isa, CHUNK))
                fail_msg("%s: %s and portable differ", c->name, fv__isa_name(isa));
            if (c->row->dx) {
                run_unary(portable, c, dx, dy, c->reads_output ? y : x);
                run_unary(kernels, c, dx_isa, dy, c->reads_output ? y : x);
            }
            if (!same_bits(dx, dx_isa, CHUNK))
                fail_msg("%s: the gradients of %s and portable differ", c->name, fv__isa_name(isa));
            memcpy(y_isa, x, sizeof x); /* in place */
            run_unary(kernels, c, y_isa, y_isa, NULL);
            if (!same_bits(y, y_isa, CHUNK))
                fail_msg("%s: %s differs in place", c->name, fv__isa_name(isa));
        }
}

static void test_avx2_bits(void **state)
{
    (void)state;
    check_same_bits(FV_ISA_AVX2);
}
static void test_avx512_bits(void **state)
{
    (void)state;
    check_same_bits(FV_ISA_AVX512);
}
static void test_neon_bits(void **state)
{
    (void)state;
    check_same_bits(FV_ISA_NEON);
}

/* ---- the kernels against the operations' references ----------------------------------------------- */

static void check_reference(const unary_case *c)
{
    static float x[CHUNK], dy[CHUNK], y[CHUNK], dx[CHUNK];
    static double x_ref[CHUNK], v_ref[CHUNK], dy_ref[CHUNK], out[CHUNK];
    const fv_kernels *const portable = fv__kernels(FV_ISA_PORTABLE);
    const void *const attrs = c->row->op->attr_bytes ? &c->attrs : NULL;
    for (int i = 0; i < CHUNK; i++) {
        x[i] = i == 7 ? 0.0f : (float)(i - CHUNK / 2) * 0.004f;
        dy[i] = i % 2 ? 1.5f : -0.75f;
        x_ref[i] = (double)x[i];
        dy_ref[i] = (double)dy[i];
    }
    fv_ref r = {.attrs = attrs, .n = 1, .n_inputs = 1, .in = {x_ref}, .out = out};
    r.in_shape[0] = r.in_shape[1] = r.out_shape = (fv_shape){1, {CHUNK}};
    c->row->op->ref(&r);
    run_unary(portable, c, y, x, NULL);
    for (int i = 0; i < CHUNK; i++)
        if (!(ulps(y[i], out[i]) <= c->row->value_ulps))
            fail_msg("%s(%g) is %.9g; the reference says %.9g", c->name, x_ref[i], (double)y[i], out[i]);
    const float *const v = c->reads_output ? y : x;
    for (int i = 0; c->row->dx && i < CHUNK; i++)
        v_ref[i] = (double)v[i];
    if (c->row->dx) {
        r.n_inputs = 2;
        r.in[0] = dy_ref;
        r.in[1] = v_ref;
        c->row->dx->ref(&r);
        run_unary(portable, c, dx, dy, v);
        for (int i = 0; i < CHUNK; i++)
            if (!(ulps(dx[i], out[i]) <= c->row->slope_ulps) &&
                !(fabs((double)dx[i] - out[i]) <= c->row->slope_error))
                fail_msg("%s: the gradient at %g is %.9g; the reference says %.9g", c->name, x_ref[i],
                         (double)dx[i], out[i]);
    }
}

static void test_references(void **state)
{
    (void)state;
    for (int k = 0; k < n_unary_cases; k++)
        check_reference(&unary_cases[k]);
}

/* The references' gradients against central differences: h = 1e-5 leaves about h^2 + 1e-16 / h. */
static void test_reference_gradients(void **state)
{
    (void)state;
    const double h = 1e-5;
    for (int k = 0; k < n_unary_cases; k++) {
        const unary_case *const c = &unary_cases[k];
        const void *const attrs = c->row->op->attr_bytes ? &c->attrs : NULL;
        for (int i = 0; c->row->dx && i < 40; i++) {
            const double x = (i - 20) * 0.3 + 0.05; /* not at the kink */
            double in[3] = {x, x - h, x + h}, y[3], dy = 1, dx;
            fv_ref r = {.attrs = attrs, .n = 3, .n_inputs = 1, .in = {in}, .out = y};
            r.in_shape[0] = r.in_shape[1] = r.out_shape = (fv_shape){1, {1}};
            c->row->op->ref(&r);
            r.n = 1;
            r.n_inputs = 2;
            r.in[0] = &dy;
            r.in[1] = c->reads_output ? &y[0] : &in[0];
            r.out = &dx;
            c->row->dx->ref(&r);
            if (!(fabs(dx - (y[2] - y[1]) / (2 * h)) < 1e-8))
                fail_msg("%s: the gradient at %g is %.12g; differences say %.12g", c->name, x, dx,
                         (y[2] - y[1]) / (2 * h));
        }
    }
}

/* A NaN stays one, everywhere; the subgradient at 0 is what was asked for. */
static void test_nan_and_zero(void **state)
{
    (void)state;
    static float x[CHUNK], y[CHUNK], dy[CHUNK], dx[CHUNK];
    const fv_kernels *const portable = fv__kernels(FV_ISA_PORTABLE);
    int n_at0 = 0;
    for (int k = 0; k < n_unary_cases; k++) {
        const unary_case *const c = &unary_cases[k];
        for (int i = 0; i < CHUNK; i++) {
            x[i] = i % 2 ? -0.0f : 0.0f;
            dy[i] = 2.0f;
        }
        x[5] = NAN;
        run_unary(portable, c, y, x, NULL);
        if (!isnan(y[5]))
            fail_msg("%s: of a NaN it makes %g", c->name, (double)y[5]);
        if (c->row->op != &fv_op_relu && c->row->op != &fv_op_leaky_relu)
            continue;
        const float expected = c->attrs.at0 ? 2.0f : 2.0f * c->attrs.p;
        run_unary(portable, c, dx, dy, c->reads_output ? y : x);
        assert_true(dx[0] == expected && dx[1] == expected);
        n_at0 += c->attrs.at0;
    }
    assert_true(n_at0 >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_tanh),
        cmocka_unit_test(test_sigmoid),
        cmocka_unit_test(test_softplus),
        cmocka_unit_test(test_normal),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lane_sum_is_the_tree),
        cmocka_unit_test(test_avx2_bits),
        cmocka_unit_test(test_avx512_bits),
        cmocka_unit_test(test_neon_bits),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_reference_gradients),
        cmocka_unit_test(test_nan_and_zero),
    };
    return cmocka_run_group_tests_name("vec_math", tests, fill_unary_cases, NULL);
}
