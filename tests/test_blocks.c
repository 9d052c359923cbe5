/* test_blocks.c - no bit depends on block sizes: odd and tiny ones against the table's, through forward and
 * backward passes and one image alone; and what this machine is said to be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "kernels/blocks.h"
#include "ops/inference.h"
#include "planning.h"
#include "outcome.h"

#include <stdlib.h>
#include <string.h>

enum { IMAGES = 40, ROOM = 500000 };

static const fv_blocks odd = {.name = "odd",
                              .group_bytes = 9000,
                              .group_blocks = 3,
                              .stretch_bytes = 3000,
                              .pixels_terms = 21,
                              .pixels_bytes = 9000,
                              .winograd_terms = 80,
                              .rows_bytes = 7000,
                              .rows_pixels = 3,
                              .rows_outputs = 19,
                              .rows_sums_bytes = 20000,
                              .wide_bytes = 5000,
                              .winograd_dw_outputs = 19,
                              .winograd_dw_inputs = 16,
                              .c16_bytes = 3000,
                              .c16_terms = 16,
                              .unfold_terms = 20,
                              .winograd_chunk = 16,
                              .attention_queries = 3};

/* Every way of a convolution and its gradients: few channels, many, strided, in groups, 1x1, 3x3, 5x5
 * and 3x3x3. */
static const char *const models[] = {
    "input image 3x13x11\nconv c1 40 3x3 pad=1\nrelu\nconv c2 70 3x3 pad=1\nrelu\nconv c3 48 1x1\nrelu\n"
    "conv c4 40 3x3 stride=2\nrelu\nflatten\nlinear out 4\nsoftmax\n",
    "input image 5x12x9\nconv c1 24 5x5 pad=2\nrelu\nconv c2 48 3x3 groups=2\nrelu\nconv c3 33 5x5 pad=2\n"
    "batchnorm b\nrelu\nconv c4 130 3x3\nflatten\nlinear h 50\nlinear out 4\nsoftmax\n",
    "input video 2x4x6x5\nconv c1 34 3x3x3 pad=1\nrelu\nconv c2 40 3x3x3 "
    "pad=1\nrelu\nglobalavgpool\nflatten\n"
    "linear out 4\nsoftmax\n",
    TRAINING_TRANSFORMER,
};
enum { N_MODELS = sizeof models / sizeof *models };

static void compare(const fv_graph *graph, fv_model *m, fv_plan_options options, const char *model)
{
    float *const table = malloc(ROOM * sizeof *table), *const other = malloc(ROOM * sizeof *other);
    fv_plan_options with_odd = options;
    assert_non_null(table);
    assert_non_null(other);
    with_odd.blocks = &odd;
    const size_t n = outcome_of(ctx, graph, m, options, table, ROOM, NULL);
    assert_true(n > 0);
    assert_int_equal(outcome_of(ctx, graph, m, with_odd, other, ROOM, NULL), n);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&table[i], &other[i], sizeof *table) != 0)
            fail_msg("value %zu: expected %.9g, found %.9g, of\n%s", i, (double)table[i], (double)other[i],
                     model);
    free(table);
    free(other);
}

static void test_odd_blocks(void **state)
{
    (void)state;
    for (int i = 0; i < N_MODELS; i++) {
        fv_model *const m = training_model(ctx, models[i]);
        fv_graph training, inference;
        const int *gradient;
        assert_well(ctx, fv__graph_copy(&m->graph, &training));
        assert_well(ctx, fv__differentiate(&training, &gradient));
        assert_well(ctx, fv__graph_for_inference(&m->graph, &inference));
        for (int direct = 0; direct <= 1; direct++) {
            compare(&training, m, (fv_plan_options){.batch = IMAGES, .direct = direct}, models[i]);
            compare(&training, m, (fv_plan_options){.batch = 5, .direct = direct}, models[i]);
            compare(&inference, m, (fv_plan_options){.batch = 1, .direct = direct, .c16 = true}, models[i]);
        }
        fv__graph_deinit(&training);
        fv__graph_deinit(&inference);
        fv_model_destroy(m);
    }
}

static void test_machine(void **state)
{
    (void)state;
    const fv_machine machine = fv__machine();
    const fv_blocks *const blocks = fv__blocks_for(&machine);
    assert_ptr_equal(ctx->blocks, blocks);
    assert_true(strcmp(blocks->name, machine.family) == 0 || strcmp(blocks->name, "any") == 0);
    assert_string_equal(fv__blocks_for(&(fv_machine){.family = "unknown"})->name, "any");
    assert_string_equal(fv__blocks_for(&(fv_machine){.family = "intel"})->name, "intel");
    assert_ptr_equal(strstr(fv_context_machine(ctx), machine.family), fv_context_machine(ctx));
    for (int i = 0; i < 2; i++) /* sizes as caches have them, or not known */
        assert_true(machine.cache[i] == 0 || (machine.cache[i] >= 4096 && machine.cache[i] <= 1u << 30));
    assert_true(machine.cache[1] == 0 || machine.cache[0] < machine.cache[1]);
    assert_string_equal(fv_context_machine(NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_odd_blocks, planning_setup, planning_teardown),
        cmocka_unit_test_setup_teardown(test_machine, planning_setup, planning_teardown),
    };
    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
