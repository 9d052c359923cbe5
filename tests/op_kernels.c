/* op_kernels.c - one operation by its kernels: through plan and run, and kernel by kernel in guarded memory.
 *
 * The second way walks the plan's steps itself: every buffer is a block of exactly its size before a guard
 * page, full of NaN to begin with, so that a read of what nobody wrote shows, and a touch past the end ends
 * the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guarded.h"
#include "op_harness.h"

#include "ops/reference.h"
#include "plan/plan.h"
#include "run/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 20 };

fv_context *op_context(const char *isa, int n_threads)
{
    static bool said[8];
    char why[256];
    fv_context *ctx = NULL;
    const fv_context_options options = {
        .n_threads = n_threads,
        .isa = isa,
        .allocator = {guarded_allocator_allocate, guarded_allocator_release, NULL},
    };
    const fv_status status = fv_context_create(&options, &ctx, why, sizeof why);
    if (status == FV_OK)
        return ctx;
    if (status != FV_ERR_UNSUPPORTED)
        fail_msg("isa %s: %s", isa, why);
    if (!said[strlen(isa) % 8])
        print_message("skipped: isa %s: %s\n", isa, why);
    said[strlen(isa) % 8] = true;
    return NULL;
}

/* ---- lanes ---------------------------------------------------------------------------------------- */

static int n_blocks_of(int n)
{
    return (n + FV_LANES - 1) / FV_LANES;
}

/* Lanes past the last image: any finite number; 0 in a gradient that comes from a loss. */
static void to_lanes(const double *values, int n, int64_t count, float dead, float *lanes)
{
    for (int image = 0; image < n_blocks_of(n) * FV_LANES; image++)
        for (int64_t i = 0; i < count; i++)
            lanes[(image / FV_LANES * count + i) * FV_LANES + image % FV_LANES] =
                image < n ? (float)values[image * count + i] : dead;
}

static void from_lanes(const float *lanes, int n, int64_t count, float *values)
{
    for (int image = 0; image < n; image++)
        for (int64_t i = 0; i < count; i++)
            values[image * count + i] = lanes[(image / FV_LANES * count + i) * FV_LANES + image % FV_LANES];
}

static bool has_label(const fv_op *op)
{
    return op->target != FV_TARGET_NONE;
}

static float dead_lane(const op_call *call, int input)
{
    const fv_part part = call->op->part;
    const bool of_dy =
        part == FV_PART_DATA || part == FV_PART_WEIGHTS || part == FV_PART_BIAS || part == FV_PART_SUMS;
    return of_dy && !has_label(call->op) && input == 0 ? 0.0f : 3.0f;
}

static void check_dead_lanes(const op_call *call, const float *lanes)
{
    const bool zero = has_label(call->op);
    const int64_t count = fv__shape_count(call->out_shape);
    for (int image = call->n; image < n_blocks_of(call->n) * FV_LANES; image++)
        for (int64_t i = 0; i < count; i++) {
            const float v = lanes[(image / FV_LANES * count + i) * FV_LANES + image % FV_LANES];
            if (!isfinite(v) || (zero && v != 0.0f))
                fail_msg("%s: the lane of image %d, past the last, holds %g", call->what, image, (double)v);
        }
}

/* ---- what a run is given -------------------------------------------------------------------------- */

static bool is_stored(fv_role role) /* bound from outside */
{
    return role == FV_ROLE_PARAMETER || role == FV_ROLE_STATISTIC || role == FV_ROLE_STATE ||
           role == FV_ROLE_SETTING;
}

static fv_batch make_batch(const op_call *call)
{
    return (fv_batch){.n = call->n, .seed = SEED, .image_weight = 1.0f / (float)call->n};
}

static fv_plan *make_plan(const op_call *call, fv_context *ctx, const fv_graph *graph)
{
    const fv_plan_options options = {.batch = call->n,
                                     .n_workers = fv_context_threads(ctx),
                                     .keep_all = true,
                                     .updates = true,
                                     .way = call->way};
    fv_plan *plan;
    const fv_status status = fv__plan_create(ctx, graph, &options, &plan);
    if (call->way && status == FV_ERR_INPUT && strstr(fv_message(ctx), "no way to compute"))
        return NULL;
    if (status != FV_OK)
        fail_msg("%s: plan: %s", call->what, fv_message(ctx));
    return plan;
}

static void fill_plain(const op_call *call, int input, float *p)
{
    const int64_t count = fv__shape_count(call->shape[input]);
    for (int64_t i = 0; i < count; i++)
        p[i] = (float)call->value[input][i];
}

/* ---- by plan and run ------------------------------------------------------------------------------ */

static void give_inputs(const op_call *call, const op_graph *g, fv_run *run, float **storage)
{
    for (int i = 0; i < op_n_inputs(call); i++) {
        const fv_role role = fv__op_role(call->op, i);
        const int64_t count = fv__shape_count(call->shape[i]);
        if (is_stored(role)) {
            storage[i] = guarded_allocate((size_t)count * sizeof(float));
            fill_plain(call, i, storage[i]);
            fv__run_bind(run, g->input[i], storage[i]);
            continue;
        }
        float *const memory = fv__run_buffer(run, g->input[i]);
        if (!memory)
            fail_msg("%s: input %d has no memory in the run", call->what, i);
        if (role == FV_ROLE_GRADIENT || role == FV_ROLE_BATCH)
            fill_plain(call, i, memory);
        else
            to_lanes(call->value[i], call->n, count, dead_lane(call, i), memory);
    }
}

static void take_output(const op_call *call, const float *memory, float *const storage[], float *out)
{
    const int64_t count = fv__shape_count(call->out_shape);
    for (int i = 0; i < op_n_inputs(call); i++)
        if (call->op->changes >> i & 1) {
            const int64_t n = fv__shape_count(call->shape[i]);
            memcpy(out, storage[i], (size_t)n * sizeof *out);
            out += n;
        }
    if (call->op->changes)
        return;
    if (!memory) {
        fail_msg("%s: the output has no memory in the run", call->what);
    } else if (op_output_is_per_image(call->op)) {
        check_dead_lanes(call, memory);
        from_lanes(memory, call->n, count, out);
    } else {
        memcpy(out, memory, (size_t)count * sizeof *out);
    }
}

float *op_by_plan(const op_call *call, fv_context *ctx)
{
    op_graph g;
    fv_run *run;
    float *storage[FV_MAX_INPUTS] = {0}, *const out = calloc((size_t)call->n_out, sizeof *out);
    assert_non_null(out);
    op_graph_build(&g, call, ctx);
    fv_plan *plan = make_plan(call, ctx, &g.graph);
    if (!plan) {
        fv__graph_deinit(&g.graph);
        free(out);
        return NULL;
    }
    if (fv__run_create(ctx, plan, &run) != FV_OK)
        fail_msg("%s: run: %s", call->what, fv_message(ctx));
    float *unused[2] = {0}; /* bound tensors that no kernel of this operation needs */
    for (size_t t = 0, n = 0; t < g.graph.n_tensors && n < 2; t++)
        if (is_stored(g.graph.tensors[t].role) && t >= (size_t)op_n_inputs(call)) {
            unused[n] = guarded_allocate((size_t)fv__shape_count(g.graph.tensors[t].shape) * sizeof(float));
            fv__run_bind(run, (int)t, unused[n++]);
        }
    give_inputs(call, &g, run, storage);
    const fv_batch batch = make_batch(call);
    const bool update = call->op->changes != 0;
    if (fv__run_step(run, &batch, update) != FV_OK)
        fail_msg("%s: %s", call->what, fv_message(ctx));
    take_output(call, update ? NULL : fv__run_buffer(run, g.output), storage, out);
    fv__run_destroy(run);
    fv__plan_destroy(plan);
    fv__graph_deinit(&g.graph);
    for (int i = 0; i < FV_MAX_INPUTS; i++)
        guarded_release(storage[i]);
    guarded_release(unused[0]);
    guarded_release(unused[1]);
    return out;
}

/* ---- kernel by kernel ----------------------------------------------------------------------------- */

/* The plan's buffers, each in its own memory. */
typedef struct bench {
    const op_call *call;
    const fv_plan *plan;
    int n_blocks, n_shards;
    float **memory; /* [n_buffers] */
    float *scratch;
} bench;

static int64_t block_floats(const fv_buffer *buffer)
{
    return buffer->scope == FV_SCOPE_IMAGE || buffer->scope == FV_SCOPE_ROWS ? buffer->floats * FV_LANES
                                                                             : buffer->floats;
}

static int64_t buffer_floats(const bench *b, const fv_buffer *buffer)
{
    switch (buffer->scope) {
    case FV_SCOPE_IMAGE:
    case FV_SCOPE_ROWS:
        return block_floats(buffer) * b->n_blocks;
    case FV_SCOPE_SHARD:
        return buffer->floats * b->n_shards;
    case FV_SCOPE_C16:
        return buffer->floats * buffer->bundles;
    case FV_SCOPE_BATCH:
        break;
    }
    return buffer->floats;
}

static void bench_init(bench *b, const op_call *call, const fv_plan *plan, const op_graph *g)
{
    size_t scratch = 0;
    *b = (bench){.call = call, .plan = plan, .n_blocks = n_blocks_of(call->n)};
    b->n_shards = (b->n_blocks + plan->blocks_per_shard - 1) / plan->blocks_per_shard;
    b->memory = calloc(plan->n_buffers, sizeof *b->memory);
    for (size_t i = 0; i < plan->n_buffers; i++)
        if (fv__plan_root(plan, (int)i) == (int)i)
            b->memory[i] = guarded_allocate((size_t)buffer_floats(b, &plan->buffers[i]) * sizeof(float));
    for (size_t i = 0; i < plan->n_steps; i++) {
        const fv_step_spec *s = &plan->steps[i].spec;
        scratch = s->scratch_floats > scratch ? s->scratch_floats : scratch;
    }
    b->scratch = scratch ? guarded_allocate(scratch * sizeof(float)) : NULL;
    for (int i = 0; i < op_n_inputs(call); i++) {
        float *const memory = b->memory[fv__plan_root(plan, g->input[i])];
        if (fv__op_role(call->op, i) == FV_ROLE_VALUE)
            to_lanes(call->value[i], call->n, fv__shape_count(call->shape[i]), dead_lane(call, i), memory);
        else
            fill_plain(call, i, memory);
    }
}

static void bench_deinit(bench *b)
{
    for (size_t i = 0; i < b->plan->n_buffers; i++)
        guarded_release(b->memory[i]);
    guarded_release(b->scratch);
    free(b->memory);
}

static void run_blocks(const bench *b, const fv_step_spec *s, fv_call *c, fv_kernel_fn kernel, int group)
{
    float *start[FV_MAX_OPERANDS];
    memcpy(start, c->p, sizeof start);
    for (int block = 0; block < b->n_blocks; block += group) {
        c->first_block = block;
        c->n_blocks = b->n_blocks - block < group ? b->n_blocks - block : group;
        for (int i = 0; i < s->n_operands; i++) {
            const fv_scope scope = s->operand[i] < 0 ? FV_SCOPE_BATCH : b->plan->buffers[s->operand[i]].scope;
            if (scope == FV_SCOPE_IMAGE || scope == FV_SCOPE_ROWS)
                c->p[i] = start[i] + block * c->stride[i];
        }
        kernel(c);
    }
}

static void run_kernel(const bench *b, const fv_step_spec *s, const fv_batch *batch, int group, int over)
{
    const fv_kernel_fn kernel = b->plan->kernels->run[s->kernel];
    fv_call c = {.args = s->args,
                 .blocks_per_shard = b->plan->blocks_per_shard,
                 .scratch = b->scratch,
                 .batch = batch,
                 .n_blocks = b->n_blocks};
    for (int i = 0; i < s->n_operands; i++) {
        if (s->operand[i] < 0)
            continue;
        const int root = fv__plan_root(b->plan, s->operand[i]);
        c.p[i] = b->memory[root];
        c.stride[i] = block_floats(&b->plan->buffers[root]);
    }
    if (over)
        c.p[0] = c.p[over];
    if (s->domain == FV_PER_BLOCK) {
        run_blocks(b, s, &c, kernel, group);
        return;
    }
    for (int part = 0; part < 3; part++) {
        c.begin = s->units * part / 3;
        c.end = s->units * (part + 1) / 3;
        c.by_units = s->domain == FV_PER_RANGE;
        if (c.begin < c.end)
            kernel(&c);
    }
}

float *op_by_kernels(const op_call *call, fv_context *ctx, int group, int over)
{
    op_graph g;
    bench b;
    float *const out = calloc((size_t)call->n_out, sizeof *out);
    assert_non_null(out);
    op_graph_build(&g, call, ctx);
    fv_plan *plan = make_plan(call, ctx, &g.graph);
    bench_init(&b, call, plan, &g);
    const fv_batch batch = make_batch(call);
    for (size_t i = 0; i < plan->n_steps; i++)
        run_kernel(&b, &plan->steps[i].spec, &batch, group, plan->steps[i].over >> over & 1 ? over : 0);
    float *storage[FV_MAX_INPUTS] = {0};
    for (int i = 0; i < op_n_inputs(call); i++)
        storage[i] = b.memory[fv__plan_root(plan, g.input[i])];
    const int holder = over ? g.input[over - 1] : g.output;
    take_output(call, b.memory[fv__plan_root(plan, holder)], storage, out);
    bench_deinit(&b);
    fv__plan_destroy(plan);
    fv__graph_deinit(&g.graph);
    return out;
}
