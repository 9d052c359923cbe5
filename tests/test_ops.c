/* test_ops.c - walks the table of operations; for each operation and each of its cases:
 *
 *   complete   every member of the table is there; no .grad is said aloud by no_gradient
 *   shapes     the case's shape rule holds, its cost is a finite number
 *   gradient   .grad against central differences of .ref, in double
 *   kernels    every instruction set of this machine against .ref, and bit by bit against each other: through
 *              plan and run with 1 to 3 threads, kernel by kernel before guard pages, and in place
 *
 * Tolerance of kernels against the double reference: the row's (fv_op.tolerance). Bits between instruction
 * sets: none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const isas[] = {"portable", "avx2", "avx512", "neon"};
enum { N_ISAS = 4, ALL_IMAGES = 512 };

static bool is_long_sum(const fv_op *op)
{
    return op->tolerance > FV_TOLERANCE;
}

static void compare(const op_call *call, const char *how, const double *expected, const float *found)
{
    const double tolerance = call->op->tolerance > 0 ? call->op->tolerance : FV_TOLERANCE;
    double squares = 0;
    for (int64_t i = 0; i < call->n_out; i++)
        squares += expected[i] * expected[i];
    const double rms = sqrt(squares / (double)call->n_out);
    for (int64_t i = 0; i < call->n_out; i++)
        if (!(fabs((double)found[i] - expected[i]) <= tolerance * (fabs(expected[i]) + rms)))
            fail_msg("%s, %s: value %lld is %.9g, the reference has %.9g", call->what, how, (long long)i,
                     (double)found[i], expected[i]);
}

static void compare_bits(const op_call *call, const char *how, const float *expected, const float *found)
{
    for (int64_t i = 0; i < call->n_out; i++)
        if (memcmp(&expected[i], &found[i], sizeof *found) != 0)
            fail_msg("%s, %s: value %lld is %a, elsewhere %a", call->what, how, (long long)i,
                     (double)found[i], (double)expected[i]);
}

/* One ISA, every way of running it. *first: the bits that all must have; set by the first. */
static void check_isa(const op_call *call, int isa, const double *expected, float **first)
{
    char how[64];
    fv_context *ctx = op_context(isas[isa], isa + 1);
    if (!ctx)
        return;
    for (int way = 0; way < 5; way++) {
        static const char *const names[] = {"planned", "block by block", "3 blocks at once",
                                            "over its first input", "over its second"};
        const int over = way < 3 ? 0 : way - 2;
        if (over && !(call->op->in_place >> (over - 1) & 1))
            continue;
        snprintf(how, sizeof how, "%s, %s", isas[isa], names[way]);
        float *found = way == 0 ? op_by_plan(call, ctx) : op_by_kernels(call, ctx, way == 1 ? 1 : 3, over);
        compare(call, how, expected, found);
        if (!*first) {
            *first = found;
            continue;
        }
        compare_bits(call, how, *first, found);
        free(found);
    }
    fv_context_destroy(ctx);
}

static void check_kernels(const fv_op *op, int index, op_draw draw)
{
    op_call call;
    float *first = NULL;
    op_call_case(&call, op, index, ALL_IMAGES, draw);
    op_call_check(&call);
    double *expected = op_by_reference(&call);
    for (int isa = 0; isa < N_ISAS; isa++)
        check_isa(&call, isa, expected, &first);
    free(expected);
    free(first);
    op_call_free(&call);
}

/* ---- the tests, each given an operation ----------------------------------------------------------- */

static void test_complete(void **state)
{
    const fv_op *op = *state;
    assert_non_null(op->name);
    assert_ptr_equal(fv__op_find(op->name), op);
    assert_in_range(op->n_inputs, 1, FV_CASE_INPUTS);
    assert_in_range(op->n_optional, 0, op->n_inputs - 1);
    assert_non_null(op->infer);
    assert_non_null(op->ref);
    assert_non_null(op->cost);
    if (!op->lower && !op->is_view)
        fail_msg("%s has no .lower and is no view", op->name);
    if (!op->grad && !op->no_gradient)
        fail_msg("%s has no .grad and does not say no_gradient", op->name);
    if (op->grad && op->no_gradient)
        fail_msg("%s has a .grad and says no_gradient", op->name);
    if (op->n_cases < 1)
        fail_msg("%s has no cases", op->name);
    assert_true((op->attr_bytes > 0) == (op->attrs != NULL));
}

/* What a row says of its part fits to what it makes and to its inputs. */
static void test_part(void **state)
{
    const fv_op *op = *state;
    static const fv_role makes[] = {
        [FV_PART_FORWARD] = FV_ROLE_VALUE, [FV_PART_LOSS] = FV_ROLE_VALUE,
        [FV_PART_DATA] = FV_ROLE_VALUE,    [FV_PART_WEIGHTS] = FV_ROLE_GRADIENT,
        [FV_PART_BIAS] = FV_ROLE_GRADIENT, [FV_PART_STATISTICS] = FV_ROLE_BATCH,
        [FV_PART_SUMS] = FV_ROLE_BATCH,    [FV_PART_UPDATE] = FV_ROLE_STATE,
        [FV_PART_TRACK] = FV_ROLE_STATE,
    };
    const bool of_parameter = op->part == FV_PART_FORWARD && op->role[0] == FV_ROLE_PARAMETER;
    assert_int_equal(op->out, of_parameter ? FV_ROLE_PARAMETER : makes[op->part]);
    if (op->part == FV_PART_UPDATE)
        assert_true(op->role[0] == FV_ROLE_PARAMETER && op->role[1] == FV_ROLE_GRADIENT);
    if (op->part == FV_PART_TRACK)
        assert_true(op->role[0] == FV_ROLE_STATISTIC);
    if (op->part > FV_PART_DATA) /* a view and its gradient are the same operation under another shape */
        assert_true(op->no_gradient);
    bool has_forward = false;
    for (int i = 0; fv__op_at(i); i++)
        has_forward |=
            fv__op_at(i)->part <= FV_PART_LOSS && strcmp(fv__op_family(fv__op_at(i)), fv__op_family(op)) == 0;
    if (!has_forward && op->part != FV_PART_UPDATE)
        fail_msg("%s: the family '%s' has no forward operation", op->name, fv__op_family(op));
    if (op->inference.op)
        for (int i = 0; i < op->inference.n_inputs; i++)
            assert_int_equal(op->role[op->inference.input[i]], fv__op_role(op->inference.op, i));
}

static void test_shapes(void **state)
{
    const fv_op *op = *state;
    for (int i = 0; i < op->n_cases; i++) {
        op_call call;
        op_call_case(&call, op, i, 1, OP_SMOOTH);
        op_call_check(&call);
        fv_context *ctx = op_context("portable", 1);
        op_graph g;
        op_graph_build(&g, &call, ctx);
        const fv_node *node = &g.graph.nodes[g.graph.n_nodes - 1];
        const fv_cost cost = op->cost(node->attrs, call.shape, call.out_shape);
        assert_true(isfinite(cost.flops) && cost.flops >= 0);
        assert_true(isfinite(cost.bytes) && cost.bytes >= 0);
        fv__graph_deinit(&g.graph);
        fv_context_destroy(ctx);
        op_call_free(&call);
    }
}

static void test_gradient(void **state)
{
    const fv_op *op = *state;
    for (int i = 0; i < op->n_cases && op->grad; i++)
        op_check_gradient(op, i);
}

static void test_kernels(void **state)
{
    const fv_op *op = *state;
    for (int i = 0; i < op->n_cases; i++) {
        check_kernels(op, i, OP_SMOOTH);
        if (!is_long_sum(op))
            check_kernels(op, i, OP_COARSE);
    }
}

static int add(struct CMUnitTest *tests, int n, const fv_op *op, const char *aspect, CMUnitTestFunction fn)
{
    char *name = malloc(80);
    snprintf(name, 80, "%s: %s", op->name, aspect);
    tests[n] = (struct CMUnitTest){.name = name, .test_func = fn, .initial_state = (void *)op};
    return n + 1;
}

int main(void)
{
    static struct CMUnitTest tests[1000];
    int n = 0;
    for (int i = 0; fv__op_at(i) && n < 990; i++) {
        const fv_op *op = fv__op_at(i);
        n = add(tests, n, op, "complete", test_complete);
        n = add(tests, n, op, "part", test_part);
        n = add(tests, n, op, "shapes", test_shapes);
        if (op->grad)
            n = add(tests, n, op, "gradient", test_gradient);
        if (!op->is_view) /* nothing to run */
            n = add(tests, n, op, "kernels", test_kernels);
    }
    return _cmocka_run_group_tests("ops", tests, (size_t)n, NULL, NULL);
}
