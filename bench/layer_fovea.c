/* layer_fovea.c - Fovea's side of bench_layers: one layer alone in a graph, planned and run as in training.
 * The time of a run includes packing of weights, sums over shards, the search for NaN, and barriers. */
#include "bench_layers.h"

#include "model/model.h"
#include "ops/ops.h"
#include "plan/plan.h"
#include "run/run.h"

#include "base/pool.h"

#include <string.h>

struct fovea_side {
    fv_context *ctx;
    fv_graph graph;
    fv_plan *plan;
    fv_run *run;
    fv_batch batch;
    int tensor[N_OPERANDS]; /* of the pass: dy, dx or dw if it is a gradient; -1: none */
    float *weights;         /* bound */
};

static int new_tensor(fovea_side *s, const char *name, fv_shape shape)
{
    int tensor;
    die_unless_ok(s->ctx, fv__graph_tensor(&s->graph, name, shape, FV_ROLE_VALUE, &tensor), name);
    return tensor;
}

/* Appends the gradients of one node: of x if `data`, otherwise of its parameters. */
static void pass_back(fovea_side *s, int k, bool data, int x, int *gradient)
{
    const fv_node node = s->graph.nodes[k]; /* a copy: appending moves the array */
    fv_grad g = {.graph = &s->graph, .node = &node, .dy = gradient[node.output]};
    for (int i = 0; i < node.n_inputs; i++) {
        const bool is_parameter = s->graph.tensors[node.input[i]].role == FV_ROLE_PARAMETER;
        g.wanted[i] = is_parameter ? !data : data || node.input[i] != x;
        g.dx[i] = -1;
    }
    die_unless_ok(s->ctx, node.op->grad(&g), node.name);
    for (int i = 0; i < node.n_inputs; i++)
        if (g.wanted[i] && g.dx[i] >= 0)
            gradient[node.input[i]] = g.dx[i];
}

/* The layer's nodes alone, reading a tensor that no node computes, and behind them the gradient of the
 * pass. The plan omits nodes that it does not depend on. */
static void build_graph(fovea_side *s, const problem *p)
{
    fv_model *const model = layer_model(s->ctx, p->layer);
    const int from = layer_model_input(model), out = layer_model_output(model);
    die_unless_ok(s->ctx, fv__graph_copy(&model->graph, &s->graph), "copy");
    const int x = new_tensor(s, "bench.x", s->graph.tensors[from].shape);
    const int w = fv__graph_find_tensor(&s->graph, "c.weight"), last = s->graph.tensors[out].source;
    for (int k = 0; k <= last; k++)
        for (int i = 0; i < s->graph.nodes[k].n_inputs; i++)
            if (s->graph.nodes[k].input[i] == from)
                s->graph.nodes[k].input[i] = x;
    s->tensor[OPERAND_X] = x, s->tensor[OPERAND_W] = w, s->tensor[OPERAND_Y] = out;
    if (p->pass != PASS_FORWARD) {
        const int dy = s->tensor[OPERAND_Y] = new_tensor(s, "bench.dy", s->graph.tensors[out].shape);
        const size_t n = s->graph.n_tensors;
        int *const gradient = fv__alloc(s->ctx, n, sizeof *gradient);
        if (!gradient)
            die("%s", fv_message(s->ctx));
        for (size_t t = 0; t < n; t++)
            gradient[t] = -1;
        gradient[out] = dy;
        for (int k = last; k >= 0; k--)
            if (gradient[s->graph.nodes[k].output] >= 0)
                pass_back(s, k, p->pass == PASS_DATA, x, gradient);
        const operand_id result = pass_result(p->pass);
        s->tensor[result] = gradient[s->tensor[result]];
        fv__free(s->ctx, gradient);
    }
    s->graph.n_results = s->graph.n_losses = 0; /* the end of the model is not wanted */
    die_unless_ok(s->ctx, fv__graph_add_result(&s->graph, s->tensor[pass_result(p->pass)]), "result");
    fv_model_destroy(model);
}

/* The index, in the problem's arrays, of value i of image n, in the lanes' order [c][pixel]. */
static size_t plain_at(const geometry *g, size_t channels, size_t count, size_t n, size_t i)
{
    const size_t tokens = count / channels;
    return g->kind == LAYER_LINEAR ? (n * tokens + i % tokens) * channels + i / tokens : n * count + i;
}

static float *lane_of(float *lanes, size_t count, size_t n, size_t i)
{
    return &lanes[(n / FV_LANES * count + i) * FV_LANES + n % FV_LANES];
}

static void bind_weights(fovea_side *s, const problem *p)
{
    const size_t n = problem_count(p, OPERAND_W);
    s->weights = fv__alloc(s->ctx, n, sizeof *s->weights);
    if (!s->weights)
        die("%s", fv_message(s->ctx));
    memcpy(s->weights, p->value[OPERAND_W], n * sizeof *s->weights);
    fv__run_bind(s->run, s->tensor[OPERAND_W], s->weights);
}

static void give_values(fovea_side *s, const problem *p, operand_id which)
{
    float *const lanes = fv__run_buffer(s->run, s->tensor[which]);
    if (!lanes)
        die("%s: an input has no memory", p->layer->text);
    const geometry *const g = &p->geometry;
    const size_t count = problem_count(p, which) / (size_t)p->batch;
    const size_t channels = (size_t)(which == OPERAND_X ? g->x : g->y).dim[0];
    for (size_t n = 0; n < (size_t)p->batch; n++)
        for (size_t i = 0; i < count; i++)
            *lane_of(lanes, count, n, i) = p->value[which][plain_at(g, channels, count, n, i)];
}

fovea_side *fovea_side_create(fv_context *ctx, const problem *p)
{
    fovea_side *const s = fv__alloc(ctx, 1, sizeof *s);
    if (!s)
        die("%s", fv_message(ctx));
    s->ctx = ctx;
    build_graph(s, p);
    const fv_plan_options options = {
        .batch = p->batch, .n_workers = fv__pool_threads(ctx->pool), .output = true};
    die_unless_ok(ctx, fv__plan_create(ctx, &s->graph, &options, &s->plan), "plan");
    die_unless_ok(ctx, fv__run_create(ctx, s->plan, &s->run), "run");
    for (operand_id k = 0; k < N_OPERANDS; k++)
        if (k == pass_result(p->pass))
            continue;
        else if (k == OPERAND_W)
            bind_weights(s, p);
        else
            give_values(s, p, k);
    s->batch = (fv_batch){.n = p->batch, .image_weight = 1.0f / (float)p->batch};
    return s;
}

void fovea_side_run(void *side)
{
    fovea_side *const s = side;
    die_unless_ok(s->ctx, fv__run_step(s->run, &s->batch, false), "run");
}

void fovea_side_read(fovea_side *s, const problem *p, float *result)
{
    const operand_id which = pass_result(p->pass);
    float *const values = fv__run_buffer(s->run, s->tensor[which]);
    if (!values)
        die("%s: the result has no memory", p->layer->text);
    if (which == OPERAND_W) {
        memcpy(result, values, problem_count(p, OPERAND_W) * sizeof *result);
        return;
    }
    const geometry *const g = &p->geometry;
    const size_t count = problem_count(p, which) / (size_t)p->batch;
    const size_t channels = (size_t)(which == OPERAND_X ? g->x : g->y).dim[0];
    for (size_t n = 0; n < (size_t)p->batch; n++)
        for (size_t i = 0; i < count; i++)
            result[plain_at(g, channels, count, n, i)] = *lane_of(values, count, n, i);
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
