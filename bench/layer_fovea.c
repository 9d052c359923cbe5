/* layer_fovea.c - Fovea's side of bench_layers: one operation alone in a graph, planned and run as training
 * runs it. A run counts whole: packing of weights, sums over shards, the search for NaN, barriers. */
#include "bench_layers.h"

#include "ops/ops.h"
#include "plan/plan.h"
#include "run/run.h"

#include "base/pool.h"

#include <stdio.h>
#include <string.h>

struct fovea_side {
    fv_context *ctx;
    fv_graph graph;
    fv_plan *plan;
    fv_run *run;
    fv_batch batch;
    int output;
    float *weights; /* bound */
};

static bool is_conv(const layer *l)
{
    return l->kernel != 0;
}

static fv_shape shape_of(const layer *l, operand_id which)
{
    const int size = which == OPERAND_X ? l->size : layer_out_size(l);
    const int channels = which == OPERAND_X ? l->i : l->o, k = l->kernel;
    if (which == OPERAND_W)
        return is_conv(l) ? FV_SHAPE(l->o, l->i, k, k) : FV_SHAPE(l->o, l->i);
    if (!is_conv(l))
        return fv__shape(size > 1 ? 2 : 1, (int[]){channels, size});
    return FV_SHAPE(channels, size, size);
}

static void set_word(fv_context *ctx, const fv_op *op, void *attrs, const char *word, int h, int w)
{
    char value[32];
    snprintf(value, sizeof value, "%dx%d", h, w);
    die_unless_ok(ctx, fv__attrs_set(ctx, op, attrs, word, value, "bench_layers"), word);
}

static const fv_op *op_of(const problem *p)
{
    static const fv_op *const ops[2][N_PASSES] = {
        {&fv_op_linear, &fv_op_linear_dx, &fv_op_linear_dw},
        {&fv_op_conv2d, &fv_op_conv2d_dx, &fv_op_conv2d_dw},
    };
    return ops[is_conv(&p->layer)][p->pass];
}

static void set_attributes(fv_context *ctx, const problem *p, const fv_op *op, void *attrs)
{
    fv__attrs_default(op, attrs);
    if (!is_conv(&p->layer))
        return;
    const layer *const l = &p->layer;
    set_word(ctx, op, attrs, "stride", l->stride, l->stride);
    set_word(ctx, op, attrs, "pad", l->pad, l->pad);
    const fv_shape sized = shape_of(l, pass_result(p->pass)); /* [c][h][w] or [o][i][kh][kw] */
    if (p->pass == PASS_DATA)
        set_word(ctx, op, attrs, "size", sized.dim[1], sized.dim[2]);
    if (p->pass == PASS_WEIGHTS)
        set_word(ctx, op, attrs, "size", sized.dim[2], sized.dim[3]);
}

/* The operation's inputs in its order: y = x w, dx = dy w, dw = dy x. */
static const operand_id inputs_of[N_PASSES][2] = {
    {OPERAND_X, OPERAND_W}, {OPERAND_Y, OPERAND_W}, {OPERAND_Y, OPERAND_X}};

static void build_graph(fovea_side *s, const problem *p, int tensor[N_OPERANDS])
{
    _Alignas(16) unsigned char attrs[256];
    const fv_op *const op = op_of(p);
    if (op->attr_bytes > sizeof attrs)
        die("%s: attributes of %zu bytes", op->name, op->attr_bytes);
    set_attributes(s->ctx, p, op, attrs);
    fv__graph_init(&s->graph, s->ctx, "layer");
    fv_node_spec spec = {.op = op, .name = "result", .role = FV_ROLE_VALUE, .of = -1, .attrs = attrs};
    static const char *const names[N_OPERANDS] = {"x", "w", "y"};
    for (int k = 0; k < 2; k++) {
        const operand_id which = inputs_of[p->pass][k];
        die_unless_ok(s->ctx,
                      fv__graph_tensor(&s->graph, names[which], shape_of(&p->layer, which), op->role[k],
                                       &tensor[which]),
                      names[which]);
        spec.input[spec.n_inputs++] = tensor[which];
    }
    if (p->pass == PASS_WEIGHTS) { /* a gradient needs a parameter that it is of */
        spec.role = FV_ROLE_GRADIENT;
        die_unless_ok(
            s->ctx,
            fv__graph_tensor(&s->graph, "w", shape_of(&p->layer, OPERAND_W), FV_ROLE_PARAMETER, &spec.of),
            "w");
    }
    die_unless_ok(s->ctx, fv__graph_node(&s->graph, &spec, &s->output), op->name);
    s->graph.output = s->output;
}

/* Where value i of image n, in the lanes' order [c][pixel], stands in the problem's arrays. */
static size_t plain_at(const layer *l, size_t channels, size_t count, size_t n, size_t i)
{
    const size_t tokens = l->kernel == 0 ? count / channels : 0;
    return l->kernel == 0 ? (n * tokens + i % tokens) * channels + i / tokens : n * count + i;
}

static float *lane_of(float *lanes, size_t count, size_t n, size_t i)
{
    return &lanes[(n / FV_LANES * count + i) * FV_LANES + n % FV_LANES];
}

static void give_inputs(fovea_side *s, const problem *p, const int tensor[N_OPERANDS])
{
    for (int k = 0; k < 2; k++) {
        const operand_id which = inputs_of[p->pass][k];
        if (which == OPERAND_W) {
            s->weights = fv__alloc(s->ctx, problem_count(p, OPERAND_W), sizeof *s->weights);
            if (!s->weights)
                die("%s", fv_message(s->ctx));
            memcpy(s->weights, p->value[OPERAND_W], problem_count(p, OPERAND_W) * sizeof *s->weights);
            fv__run_bind(s->run, tensor[which], s->weights);
            continue;
        }
        float *const lanes = fv__run_buffer(s->run, tensor[which]);
        if (!lanes)
            die("an input of %s has no memory", op_of(p)->name);
        const size_t count = problem_count(p, which) / (size_t)p->batch;
        const size_t channels = (size_t)(which == OPERAND_X ? p->layer.i : p->layer.o);
        for (size_t n = 0; n < (size_t)p->batch; n++)
            for (size_t i = 0; i < count; i++)
                *lane_of(lanes, count, n, i) = p->value[which][plain_at(&p->layer, channels, count, n, i)];
    }
}

fovea_side *fovea_side_create(fv_context *ctx, const problem *p)
{
    fovea_side *const s = fv__alloc(ctx, 1, sizeof *s);
    if (!s)
        die("%s", fv_message(ctx));
    s->ctx = ctx;
    int tensor[N_OPERANDS];
    build_graph(s, p, tensor);
    const fv_plan_options options = {
        .batch = p->batch, .n_workers = fv__pool_threads(ctx->pool), .output = true};
    die_unless_ok(ctx, fv__plan_create(ctx, &s->graph, &options, &s->plan), "plan");
    die_unless_ok(ctx, fv__run_create(ctx, s->plan, &s->run), "run");
    give_inputs(s, p, tensor);
    s->batch = (fv_batch){.n = p->batch, .inv_total = 1.0f / (float)p->batch};
    return s;
}

void fovea_side_run(void *side)
{
    fovea_side *const s = side;
    die_unless_ok(s->ctx, fv__run_step(s->run, &s->batch, false), "run");
}

void fovea_side_read(fovea_side *s, const problem *p, float *result)
{
    float *const values = fv__run_buffer(s->run, s->output);
    if (!values)
        die("the result of %s has no memory", op_of(p)->name);
    const operand_id which = pass_result(p->pass);
    if (which == OPERAND_W) {
        memcpy(result, values, problem_count(p, OPERAND_W) * sizeof *result);
        return;
    }
    const size_t count = problem_count(p, which) / (size_t)p->batch;
    const size_t channels = (size_t)(which == OPERAND_X ? p->layer.i : p->layer.o);
    for (size_t n = 0; n < (size_t)p->batch; n++)
        for (size_t i = 0; i < count; i++)
            result[plain_at(&p->layer, channels, count, n, i)] = *lane_of(values, count, n, i);
}

void fovea_side_destroy(fovea_side *s)
{
    if (!s)
        return;
    fv__run_destroy(s->run);
    fv__plan_destroy(s->plan);
    fv__graph_deinit(&s->graph);
    fv__free(s->ctx, s->weights);
    fv__free(s->ctx, s);
}
