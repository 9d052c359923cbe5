/* test_shared_parameters.c - parameters that several layers read: their gradient is the sum over all that do.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ops/reference.h"
#include "plan_checker.h"
#include "planning.h"
#include "train/train.h"

#include <math.h>

#define TIED_LINEAR                                                                                          \
    "input image 1x4x4\nflatten\nlinear a 16\ntanh\nlinear b 16 weights=a\ntanh\nlinear c 16 weights=a\n"    \
    "tanh\nlinear out 3\nsoftmax\n"
#define TIED_CONV                                                                                            \
    "input image 4x6x5\nconv a 4 3x3 pad=1 bias=no\nrelu name=first\nconv b 4 3x3 pad=1 weights=a bias=no\n" \
    "add first\nflatten\nlinear out 3\nsoftmax\n"
#define TIED_ATTENTION                                                                                       \
    "input image 1x8x8\nconv e 6 4x4 stride=4\ntokens\nposition p\nattention a 2\nlayernorm n\n"             \
    "attention b 2 weights=a\nflatten\nlinear out 3\nsoftmax\n"

/* `fovea check`: the reference's gradient against central differences of its loss, and the kernels' against
 * the reference. */
static void gradients_are_right(void **state)
{
    static const char *const texts[] = {TIED_LINEAR, TIED_CONV, TIED_ATTENTION};
    scratch *const s = *state;
    for (int i = 0; i < 3; i++) {
        fv_model *const m = training_model(s->ctx, texts[i]);
        fv_check_summary sum;
        assert_well(s->ctx, fv_model_initialise(m, 7));
        assert_well(s->ctx, fv_model_check(m, NULL, NULL, NULL, &sum));
        assert_int_equal(sum.n_wrong, 0);
        assert_int_equal(sum.n_undecided, 0);
        assert_int_equal(sum.n_ok, fv_model_n_parameters(m));
        fv_model_destroy(m);
    }
}

/* One set of parameters counts once, and is stored once. */
static void counted_once(void **state)
{
    scratch *const s = *state;
    fv_model *const m = training_model(s->ctx, TIED_LINEAR);
    assert_int_equal(fv_model_n_parameters(m), 4);
    assert_int_equal(fv_model_describe(m).n_parameters, 16 * 16 + 16 + 16 * 3 + 3);
    fv_model_destroy(m);
}

/* Three layers have three gradients and two sums; the update reads the last of them. */
static void plans_are_right(void **state)
{
    (void)state;
    fv_model *const m = training_model(ctx, TIED_LINEAR);
    fv_graph graph;
    training_graph(m, &graph);
    int n_sums = 0;
    for (size_t k = 0; k < graph.n_nodes; k++)
        n_sums += graph.nodes[k].op == &fv_op_gradient_sum;
    assert_int_equal(n_sums, 4); /* of the weight and of the bias */
    for (int workers = 1; workers < 4; workers += 2) {
        fv_plan *const plan = plan_of(
            &graph, (fv_plan_options){.batch = 40, .n_workers = workers, .loss = true, .updates = true});
        assert_int_equal(plan_mistakes(plan, "shared parameters"), 0);
        fv__plan_destroy(plan);
    }
    fv__graph_deinit(&graph);
    fv_model_destroy(m);
}

static uint64_t hash_after_training(int threads, const char *isa)
{
    fv_context *const c = training_context(threads, isa);
    if (!c)
        return 0;
    fv_data *const data = training_halves(c, 700, 1, 4, 4, 0); /* a batch of 600 is two runs of an update */
    fv_model *const m = training_model(c, TIED_LINEAR);
    const fv_train_options o = training_options(2, 600, 0.1);
    assert_well(c, fv_train(m, data, NULL, &o, NULL, NULL));
    const uint64_t hash = fv_model_hash(m);
    fv_model_destroy(m);
    fv_data_destroy(data);
    fv_context_destroy(c);
    return hash;
}

static void same_bits(void **state)
{
    (void)state;
    static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
    const uint64_t expected = hash_after_training(1, "portable");
    for (int i = 0; i < 4; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            const uint64_t found = hash_after_training(threads, isas[i]);
            assert_true(found == 0 || found == expected);
        }
}

/* ---- what is refused -------------------------------------------------------------------------------- */

#define IN "input image 1x4x4\n"

static void mistakes(void **state)
{
    static const char *const wrong[][2] = {
        {IN "flatten\nlinear a 16\nlinear b 8 weights=a\n",
         "m:4:20: linear: expected 'a.weight' of shape 8x16, for weights=a, found 16x16"},
        {IN "flatten\nlinear a 16 bias=no\nlinear b 16 weights=a\n",
         "m:4:21: linear: expected 'a.bias' of shape 16, for weights=a, found none; bias=no does without"},
        {IN "flatten\nlinear ab 16\nlinear b 16 weights=abb\n",
         "m:4:21: linear: no earlier layer is called 'abb'; nearest is 'ab'"},
        {IN "flatten\nlinear a 16\nlinear b 16 weights=a init=he\n",
         "m:4:23: init= and weights=: the weights are those of a"},
        {IN "flatten\nlinear a 16\ntanh name=t\nlinear b 16 weights=t\n",
         "m:5:21: linear: expected 't.weight' of shape 16x16, for weights=t, found none"},
    };
    scratch *const s = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fv_model *m = NULL;
        assert_int_equal(fv_model_from_text(s->ctx, wrong[i][0], "m", &m), FV_ERR_INPUT);
        assert_string_equal(fv_message(s->ctx), wrong[i][1]);
    }
}

int main(void)
{
#define SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        SCRATCH(gradients_are_right),
        SCRATCH(counted_once),
        cmocka_unit_test_setup_teardown(plans_are_right, planning_setup, planning_teardown),
        cmocka_unit_test(same_bits),
        SCRATCH(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
