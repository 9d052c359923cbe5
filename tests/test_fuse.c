/* test_fuse.c - what a kernel's row says that it can do to its outputs, it does, with the bits of steps of
 * their own: each kernel with an ability has a network here in which the plan makes use of it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ops/inference.h"
#include "planning.h"
#include "outcome.h"

#include <stdlib.h>
#include <string.h>

enum { IMAGES = 21 };

/* Relu behind every kernel of convolutions and linear layers, of one block and more, and what follows a batch
 * normalisation. Values fall on both sides of 0. */
static const char *const models[] = {
    "input image 3x9x7\nconv c1 5 3x3 pad=1\nrelu\nflatten\nlinear h 19\nrelu\nlinear out 4\nsoftmax\n",
    "input image 3x8x8\nconv c1 36 3x3\nrelu\nconv c2 40 3x3 pad=1\nrelu\nconv c3 48 1x1\nrelu\n"
    "conv c4 40 3x3 stride=2\nrelu\nflatten\nlinear out 4\nsoftmax\n",
    "input image 2x8x6\nconv c1 16 1x1\nrelu\nconv d 16 3x3 pad=1 groups=16\nrelu\nconv c2 64 3x3 "
    "groups=2\nrelu\nconv c3 33 5x5 pad=2\nrelu\n"
    "flatten\nlinear out 4\nsoftmax\n",
    "input image 3x8x6\nconv c1 36 3x3 pad=1\nbatchnorm b1\nrelu name=trunk\nconv c2 36 3x3 pad=1 bias=no\n"
    "batchnorm b2\nadd trunk\nrelu\nconv c3 20 1x1\nbatchnorm b3\nrelu\nflatten\nlinear out 4\nsoftmax\n",
};
enum { N_MODELS = sizeof models / sizeof *models };

static unsigned used[FV_N_KERNELS]; /* the abilities that some plan made use of */

static unsigned abilities(const fv_step *step)
{
    const fv_step_spec *const spec = &step->spec;
    if (fv__kernel_row(spec->kernel)->can & FV_CAN_FINISH) {
        const fv_finish_args *const finish = &((const fv_c16_args *)spec->args)->finish;
        return finish->affine && finish->relu && spec->n_operands > 4 ? FV_CAN_FINISH : 0;
    }
    return (spec->relu ? FV_CAN_RELU : 0u) |
           (spec->kernel == FV_KERNEL_batchnorm && spec->n_operands == 6 ? FV_CAN_ADD : 0u);
}

static void look(const fv_plan *plan)
{
    for (size_t s = 0; s < plan->n_steps; s++) {
        used[plan->steps[s].spec.kernel] |= abilities(&plan->steps[s]);
        if (plan->options.unfused)
            assert_int_equal(abilities(&plan->steps[s]), 0);
    }
}

static void compare(fv_context *c, const fv_graph *graph, fv_model *m, fv_plan_options options,
                    const char *model)
{
    enum { ROOM = 200000 };
    float *const alone = malloc(ROOM * sizeof *alone), *const fused = malloc(ROOM * sizeof *fused);
    assert_non_null(alone);
    assert_non_null(fused);
    fv_plan_options unfused = options;
    unfused.unfused = true;
    const size_t n = outcome_of(c, graph, m, unfused, alone, ROOM, look);
    assert_in_range(n, 1, ROOM);
    assert_int_equal(outcome_of(c, graph, m, options, fused, ROOM, look), n);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&alone[i], &fused[i], sizeof *fused) != 0)
            fail_msg("value %zu: expected %.9g, found %.9g, of\n%s", i, (double)alone[i], (double)fused[i],
                     model);
    free(alone);
    free(fused);
}

static void test_abilities(void **state)
{
    static const char *const isas[] = {"avx512", "avx2", "neon", "portable"};
    (void)state;
    for (int i = 0; i < 4 * N_MODELS; i++) {
        fv_context *const c = training_context(2, isas[i / N_MODELS]);
        if (!c)
            continue;
        fv_model *const m = training_model(c, models[i % N_MODELS]);
        const int *gradient;
        fv_graph training, inference;
        assert_well(c, fv__graph_copy(&m->graph, &training));
        assert_well(c, fv__differentiate(&training, &gradient));
        assert_well(c, fv__graph_for_inference(&m->graph, &inference));
        for (int direct = 0; direct <= 1; direct++) {
            const fv_plan_options of = {.batch = IMAGES, .direct = direct},
                                  one = {.batch = 1, .direct = direct, .c16 = true};
            compare(c, &training, m, of, models[i % N_MODELS]);
            compare(c, &inference, m, of, models[i % N_MODELS]);
            compare(c, &inference, m, one, models[i % N_MODELS]);
        }
        fv__graph_deinit(&training);
        fv__graph_deinit(&inference);
        fv_model_destroy(m);
        fv_context_destroy(c);
    }
    for (fv_kernel_id k = 0; k < FV_N_KERNELS; k++)
        if (fv__kernel_row(k)->can & ~used[k])
            fail_msg("kernel %s: abilities %u of its row, of which no plan here has fused %u",
                     fv__kernel_name(k), fv__kernel_row(k)->can, fv__kernel_row(k)->can & ~used[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_abilities, planning_setup, planning_teardown),
    };
    return cmocka_run_group_tests_name("fuse", tests, NULL, NULL);
}
