/* test_check_faults.c - the check misses no fault: faults are planted where they would arise, in the
 * reference's backward operations, in kernels, in the gradients that kernels leave behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "random_networks.h"
#include "train/check.h"
#include "training.h"

#include <math.h>

/* ---- faults in what kernels leave behind ------------------------------------------------------------ */

typedef struct fault {
    const char *name;
    /* Changes k in place; the largest change over max(rms, |g|). */
    double (*plant)(float *k, const double *g, size_t n, double rms);
} fault;

static double change(float *k, const double *g, size_t i, double to, double rms)
{
    const double by = fabs(to - (double)k[i]) / fmax(rms, fabs(g[i]));
    k[i] = (float)to;
    return by;
}

static double scale_all(float *k, const double *g, size_t n, double rms)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, change(k, g, i, 1.001 * (double)k[i], rms));
    return largest;
}

static size_t largest_of(const double *g, size_t n)
{
    size_t largest = 0;
    for (size_t i = 1; i < n; i++)
        largest = fabs(g[i]) > fabs(g[largest]) ? i : largest;
    return largest;
}

static double turn_one(float *k, const double *g, size_t n, double rms)
{
    const size_t i = largest_of(g, n);
    return change(k, g, i, -(double)k[i], rms);
}

static double drop_one(float *k, const double *g, size_t n, double rms)
{
    const size_t i = largest_of(g, n);
    return change(k, g, i, 0, rms);
}

static double swap_two(float *k, const double *g, size_t n, double rms)
{
    const size_t i = largest_of(g, n), j = (i + 1) % n;
    const double a = (double)k[i], b = (double)k[j];
    return fmax(change(k, g, i, b, rms), change(k, g, j, a, rms));
}

static const fault faults[] = {
    {"1.001 times too large", scale_all},
    {"one value with the other sign", turn_one},
    {"one value dropped", drop_one},
    {"two values swapped", swap_two},
};
enum { N_FAULTS = sizeof faults / sizeof *faults };

/* Each fault in each gradient of random networks. A change of a thousandth or more is seen, or is not decided
 * where rounding hides it; that is rare. Not counted are gradients that cancel out. */
static void faults_left_by_kernels(void **state)
{
    scratch *const s = *state;
    int n_seen[N_FAULTS] = {0}, n_undecided[N_FAULTS] = {0}, n_missed[N_FAULTS] = {0};
    for (uint64_t seed = 0; seed < (TRAINING_SLOW ? 10 : 60); seed++) {
        random_network network;
        fv_check_point *point = NULL;
        fv_model *const m = random_network_model(s->ctx, 500 + seed, &network);
        assert_well(s->ctx, fv__check_point_create(m, seed, network.batch, &point));
        assert_well(s->ctx, fv__check_point_choose(point, INFINITY));
        for (int p = 0; p < m->n_learned; p++)
            for (int f = 0; f < N_FAULTS; f++) {
                const size_t n = m->params[p].n;
                float *const k = fv__check_point_kernels(point, p), *const right = malloc(n * sizeof *k);
                double error;
                if (!k || !right || point->terms[p] > 3 * point->rms[p]) {
                    free(right);
                    continue;
                }
                memcpy(right, k, n * sizeof *k);
                const double by = faults[f].plant(k, point->gradient + m->params[p].offset, n, point->rms[p]);
                const fv_check_verdict verdict = fv__check_point_judge(point, p, &error);
                memcpy(k, right, n * sizeof *k);
                free(right);
                if (by < 0.99e-3)
                    continue;
                n_seen[f] += verdict == FV_CHECK_WRONG;
                n_undecided[f] += verdict == FV_CHECK_UNDECIDED;
                n_missed[f] += verdict == FV_CHECK_OK;
            }
        fv__check_point_destroy(point);
        fv_model_destroy(m);
    }
    for (int f = 0; f < N_FAULTS; f++) {
        print_message("%s: %d seen, %d not decided, %d missed\n", faults[f].name, n_seen[f], n_undecided[f],
                      n_missed[f]);
        assert_int_equal(n_missed[f], 0);
        assert_true(n_undecided[f] <= n_seen[f] / 10);
    }
}

/* ---- faults in the reference ------------------------------------------------------------------------ */

static const fv_op *right_op;

static int64_t outputs_of(const fv_ref *r, const fv_tensor *output)
{
    return fv__shape_count(r->out_shape) * (fv__tensor_is_per_image(output) ? r->n : 1);
}

static const fv_tensor *tampered; /* the output of the node at fault */

static void ref_scaled(const fv_ref *r)
{
    right_op->ref(r);
    for (int64_t i = 0; i < outputs_of(r, tampered); i++)
        r->out[i] *= 1.001;
}

/* Of the value that matters most. */
static void ref_turned(const fv_ref *r)
{
    right_op->ref(r);
    const size_t i = largest_of(r->out, (size_t)outputs_of(r, tampered));
    r->out[i] = -r->out[i];
}

/* One term of the sum is left out: as if an input's last value were 0. */
static void ref_dropped(const fv_ref *r)
{
    right_op->ref(r);
    const size_t i = largest_of(r->out, (size_t)outputs_of(r, tampered));
    r->out[i] *= 0.9;
}

static const struct {
    const char *name;
    void (*ref)(const fv_ref *r);
} reference_faults[] = {{"1.001 times too large", ref_scaled},
                        {"one value with the other sign", ref_turned},
                        {"a tenth of one value left out", ref_dropped}};

#define SEVERAL                                                                                              \
    "input image 2x9x8\nconv c1 4 3x3 pad=1 bias=no\nbatchnorm b1\nrelu name=trunk\nconv c2 4 3x3 pad=1\n"   \
    "leakyrelu\nadd trunk\nmaxpool 2x2\nconv c3 6 3x3 groups=2\nlayernorm n1\ntanh\navgpool 2x1\nbias b2\n"  \
    "softplus\nflatten\nlinear l1 7\ndropout 0.25\ngelu\nlinear l2 5\nsigmoid\nlinear out 3\nsoftmax\n"

static const char *const fault_texts[] = {
    SEVERAL,
    SEVERAL "loss squared-error\n",
    "input image 1x8x8\nconv e 6 4x4 stride=4\ntokens\nclasstoken cls\nposition pos\nlayernorm n1\nattention "
    "a 2\n"
    "add pos name=trunk\nlinear l1 8\ngelu\nlinear l2 6\nadd trunk\nslice 0 1\nflatten\nlinear out "
    "1\nsigmoid\n",
};

/* Whether the check sees node k computing something else. */
static fv_check_summary check_with_fault(fv_context *ctx, const char *text, size_t k,
                                         void (*ref)(const fv_ref *), bool *matters, const char **what)
{
    fv_model *const m = training_model(ctx, text);
    fv_check_point *point = NULL;
    fv_check_summary sum = {0};
    const fv_check_options o = {.seed = 3, .batch = 3};
    assert_well(ctx, fv__check_point_create(m, o.seed, o.batch, &point));
    fv_graph *const graph = &point->trainer->graph;
    *matters = k < graph->n_nodes && graph->nodes[k].op->no_gradient;
    if (k < graph->n_nodes) {
        tampered = &graph->tensors[graph->nodes[k].output];
        *matters &= tampered->role != FV_ROLE_STATE && (int)k >= fv__graph_forward_end(graph);
        right_op = graph->nodes[k].op;
        *what = right_op->name;
    } else {
        *what = NULL;
    }
    if (*matters) {
        fv_op op = *right_op;
        op.ref = ref;
        graph->nodes[k].op = &op;
        assert_well(ctx, fv__check_gradients_at(point, &o, NULL, NULL, &sum));
        graph->nodes[k].op = right_op;
    }
    fv__check_point_destroy(point);
    fv_model_destroy(m);
    return sum;
}

/* Every backward operation of three networks, wrong in three ways: each time some gradient is called wrong.
 */
static void faults_in_the_reference(void **state)
{
    scratch *const s = *state;
    for (size_t t = 0; t < sizeof fault_texts / sizeof *fault_texts; t++)
        for (size_t f = 0; f < 3; f++) {
            const char *what = "";
            int n = 0;
            for (size_t k = 0; what; k++) {
                bool matters;
                const fv_check_summary sum =
                    check_with_fault(s->ctx, fault_texts[t], k, reference_faults[f].ref, &matters, &what);
                if (matters && sum.n_wrong == 0)
                    fail_msg("%s, %s: not seen (node %d: %d right, %d not decided)", what,
                             reference_faults[f].name, (int)k, sum.n_ok, sum.n_undecided);
                n += matters;
            }
            print_message("network %d, %s: %d backward operations, all seen\n", (int)t,
                          reference_faults[f].name, n);
            assert_true(n > 15);
        }
}

/* ---- faults in kernels ------------------------------------------------------------------------------ */

static const fv_kernels *right_kernels;
static fv_kernel_id faulty;

/* What the kernel writes first is off by a half, once a run. */
static void wrong_kernel(const fv_call *call)
{
    right_kernels->run[faulty](call);
    if (call->first_block == 0 && call->begin == 0)
        for (int lane = 0; lane < FV_LANES; lane++)
            call->p[0][lane] += 0.5f;
}

/* The first step that runs the kernel, of those that a gradient depends on; -1: none. */
static int step_of(const fv_plan *plan, fv_kernel_id kernel)
{
    for (int p = 0; p < plan->n_phases && !plan->phases[p].is_update; p++)
        for (int s = plan->phases[p].first_step; s < plan->phases[p].first_step + plan->phases[p].n_steps;
             s++)
            if (plan->steps[s].spec.kernel == kernel &&
                !(plan->steps[s].node && fv__graph_is_loss(plan->graph, plan->steps[s].node->output)))
                return s;
    return -1;
}

/* Every kernel that three networks use, wrong: each time some gradient is called wrong. */
static void faults_in_kernels(void **state)
{
    scratch *const s = *state;
    for (size_t t = 0; t < sizeof fault_texts / sizeof *fault_texts; t++) {
        int n = 0;
        for (int kernel = 0; kernel < FV_N_KERNELS; kernel++) {
            fv_model *const m = training_model(s->ctx, fault_texts[t]);
            fv_check_point *point = NULL;
            fv_check_summary sum = {0};
            const fv_check_options o = {.seed = 3, .batch = 3};
            assert_well(s->ctx, fv__check_point_create(m, o.seed, o.batch, &point));
            fv_plan *const plan = point->trainer->plan;
            if (step_of(plan, (fv_kernel_id)kernel) >= 0) {
                right_kernels = plan->kernels;
                fv_kernels wrong = *right_kernels;
                faulty = (fv_kernel_id)kernel;
                wrong.run[kernel] = wrong_kernel;
                plan->kernels = &wrong;
                const fv_status status = fv__check_gradients_at(point, &o, NULL, NULL, &sum);
                plan->kernels = right_kernels;
                assert_well(s->ctx, status);
                if (sum.n_wrong == 0)
                    fail_msg("network %d, kernel %s: not seen (%d right, %d not decided)", (int)t,
                             fv__kernel_name((fv_kernel_id)kernel), sum.n_ok, sum.n_undecided);
                n++;
            }
            fv__check_point_destroy(point);
            fv_model_destroy(m);
        }
        print_message("network %d: %d kernels, each seen where it is wrong\n", (int)t, n);
        assert_true(n > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_left_by_kernels),
        cmocka_unit_test(faults_in_the_reference),
        cmocka_unit_test(faults_in_kernels),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
