/* lower.c - lowers every wanted node to steps over buffers.
 *
 * Buffers 0..n_tensors-1 are the graph's tensors. The temporaries of operations follow. */
#include "plan/passes.h"

#include "ops/ops.h"

#include <string.h>

_Static_assert(FV_LOWER_INPUTS == FV_MAX_INPUTS, "the inputs of a node");

fv_status fv__plan_buffer(fv_plan *plan, fv_buffer buffer, int *out)
{
    void *array = plan->buffers;
    FV_TRY(fv__grow(plan->ctx, &array, plan->n_buffers, &plan->buffer_capacity, sizeof *plan->buffers));
    plan->buffers = array;
    buffer.alias = (int)plan->n_buffers;
    buffer.remade = -1;
    buffer.tensor = -1;
    *out = (int)plan->n_buffers;
    plan->buffers[plan->n_buffers++] = buffer;
    return FV_OK;
}

fv_status fv__lower_buffer(fv_lower *l, fv_scope scope, int64_t floats, int *out)
{
    return fv__plan_buffer(l->plan, (fv_buffer){.name = "temporary", .scope = scope, .floats = floats}, out);
}

void *fv__lower_args(fv_lower *l, const void *args, size_t bytes)
{
    void *const copy = fv__arena_alloc(l->arena, 1, bytes);
    if (copy)
        memcpy(copy, args, bytes);
    l->made[l->n_made % FV_LOWER_ARGS].args = copy;
    l->made[l->n_made++ % FV_LOWER_ARGS].bytes = bytes;
    return copy;
}

int fv__lower_int(fv_lower *l, int64_t value, const char *what)
{
    if (value >= 0 && value <= INT32_MAX)
        return (int)value;
    const fv_graph *const graph = l->plan->graph;
    const fv_node *const node = l->node >= 0 ? &graph->nodes[l->node] : NULL;
    if (l->status == FV_OK)
        l->status = fv__fail(l->plan->ctx, FV_ERR_INPUT, "%s:%d: %s: expected %s of at most %d, found %lld",
                             graph->source, node ? node->line : 0, node ? node->layer : "input", what,
                             INT32_MAX, (long long)value);
    return 1;
}

static fv_status add_step(fv_lower *l, const fv_step_spec *spec)
{
    fv_plan *const plan = l->plan;
    const fv_node *const node = l->node >= 0 ? &plan->graph->nodes[l->node] : NULL;
    void *array = plan->steps;
    FV_TRY(fv__grow(plan->ctx, &array, plan->n_steps, &plan->step_capacity, sizeof *plan->steps));
    plan->steps = array;
    unsigned over = 0;
    for (int k = 1; node && spec->operand[0] == l->out && k < spec->n_operands; k++) {
        if (k <= node->n_inputs && spec->operand[k] == node->input[k - 1])
            over |= (node->op->in_place >> (k - 1) & 1) << k;
        else if (l->fused && spec->operand[k] == l->fused->residual) /* added value by value */
            over |= (node->op->in_place & 1) << k;
    }
    plan->steps[plan->n_steps++] = (fv_step){.spec = *spec, .node = node, .over = over};
    return FV_OK;
}

/* A kernel that received the args of another would read beyond their end. */
static fv_status check_args(const fv_lower *l, const fv_step_spec *spec)
{
    const fv_kernel_row *const row = fv__kernel_row(spec->kernel);
    size_t bytes = 0;
    for (int i = 0; i < FV_LOWER_ARGS; i++)
        if (l->made[i].args == spec->args)
            bytes = l->made[i].bytes;
    if (!spec->args)
        return FV_ERR_MEMORY;
    if (bytes == row->args_bytes)
        return FV_OK;
    return fv__fail(l->plan->ctx, FV_ERR_INTERNAL, "kernel %s: expected args of %zu bytes, found %zu",
                    row->name, row->args_bytes, bytes);
}

/* The epilogue that is fused behind the node goes into the step that writes its output. */
static fv_status add_fused(fv_lower *l, fv_step_spec *spec)
{
    const fv_fused *const fused = l->fused;
    const unsigned can = fv__kernel_row(spec->kernel)->can;
    const double images = spec->domain == FV_PER_BLOCK ? 1 : l->max_batch;
    const double values = images * (double)fv__shape_count(l->out_shape);
    l->finished = true;
    if (can & FV_CAN_FINISH) /* the operation has put it into the kernel's args */
        return FV_OK;
    if (fused->affine || (fused->relu && !(can & FV_CAN_RELU)) ||
        (fused->residual >= 0 && !(can & FV_CAN_ADD)))
        return fv__fail(l->plan->ctx, FV_ERR_INTERNAL,
                        "kernel %s cannot do what the plan has fused behind %s",
                        fv__kernel_name(spec->kernel), l->plan->graph->nodes[l->node].name);
    spec->relu = fused->relu;
    if (fused->residual >= 0) {
        spec->operand[spec->n_operands] = fused->residual;
        spec->access[spec->n_operands++] = FV_READ;
        spec->bytes += 4.0 * values;
    }
    spec->flops += values * ((fused->residual >= 0) + fused->relu);
    return FV_OK;
}

fv_status fv__lower_step(fv_lower *l, const fv_step_spec *spec)
{
    fv_step_spec step = *spec;
    FV_ASSERT(spec->kernel < FV_N_KERNELS && 0 < spec->n_operands && spec->n_operands <= FV_MAX_OPERANDS);
    FV_ASSERT(spec->domain == FV_PER_BLOCK || (spec->units > 0 && spec->grain > 0));
    for (int k = 0; k < spec->n_operands; k++)
        FV_ASSERT(0 <= spec->operand[k] && (size_t)spec->operand[k] < l->plan->n_buffers);
    FV_TRY(l->status);
    FV_TRY(check_args(l, spec));
    step.way = l->chosen;
    if (l->fused && spec->operand[0] == l->out)
        FV_TRY(add_fused(l, &step));
    return add_step(l, &step);
}

/* Below this number of flops the barrier at the end costs the workers more than the split saves. */
#define FV_SPLIT_FLOPS 4e6

bool fv__lower_splits(const fv_lower *l, double flops)
{
    return fv__lower_blocks(l) < l->n_workers && flops * l->max_batch >= FV_SPLIT_FLOPS;
}

void fv__lower_split(const fv_lower *l, double flops, int64_t units, int64_t grain, fv_step_spec *spec)
{
    if (!fv__lower_splits(l, flops))
        return;
    spec->domain = FV_PER_RANGE;
    spec->units = units;
    spec->grain = grain;
    spec->of_images = true;
    spec->flops *= l->max_batch;
    spec->bytes *= l->max_batch;
}

const int32_t *fv__lower_offsets(fv_lower *l, int64_t n, int step)
{
    int32_t *const offset = fv__arena_alloc(l->arena, (size_t)n, sizeof *offset);
    for (int64_t k = 0; offset && k < n; k++)
        offset[k] = (int32_t)(k * step);
    return offset;
}

fv_status fv__lower_simple(fv_lower *l, fv_kernel_id kernel, const void *args, size_t args_bytes)
{
    fv_step_spec s = {.kernel = kernel, .domain = FV_PER_BLOCK, .n_operands = 1 + l->n_inputs};
    s.args = fv__lower_args(l, args, args_bytes);
    s.operand[0] = l->out;
    s.access[0] = FV_WRITE;
    s.bytes = 4.0 * (double)fv__shape_count(l->out_shape);
    for (int i = 0; i < l->n_inputs; i++) {
        s.operand[1 + i] = l->in[i];
        s.access[1 + i] = FV_READ;
        s.bytes += 4.0 * (double)fv__shape_count(l->in_shape[i]);
    }
    s.flops = (double)fv__shape_count(l->out_shape);
    return fv__lower_step(l, &s);
}

fv_status fv__lower_sharded(fv_lower *l, fv_kernel_id kernel, const void *args, size_t args_bytes,
                            size_t scratch_floats, double flops, double bytes)
{
    int shards;
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_SHARD, fv__shape_count(l->out_shape), &shards));
    fv_step_spec s = {.kernel = kernel,
                      .domain = FV_PER_BLOCK,
                      .args = fv__lower_args(l, args, args_bytes),
                      .n_operands = 1 + l->n_inputs,
                      .operand = {shards},
                      .access = {FV_UPDATE},
                      .scratch_floats = scratch_floats,
                      .flops = flops,
                      .bytes = bytes};
    for (int i = 0; i < l->n_inputs; i++) {
        s.operand[1 + i] = l->in[i];
        s.access[1 + i] = FV_READ;
    }
    FV_TRY(fv__lower_step(l, &s));
    return fv__lower_shard_sum(l, shards, 0);
}

fv_status fv__lower_gradient(fv_lower *l, const void *args, size_t args_bytes, int from, fv_step_spec spec)
{
    spec.domain = FV_PER_RANGE;
    spec.args = fv__lower_args(l, args, args_bytes);
    spec.n_operands = 2;
    spec.operand[0] = l->out;
    spec.operand[1] = from;
    spec.access[0] = FV_UPDATE;
    spec.access[1] = FV_READ;
    return fv__lower_step(l, &spec);
}

fv_status fv__lower_shard_sum(fv_lower *l, int shards, int slices)
{
    const int64_t count = fv__shape_count(l->out_shape);
    const fv_shard_sum_args sum = {.floats = count, .slices = slices};
    const fv_step_spec spec = {.kernel = FV_KERNEL_shard_sum,
                               .units = count,
                               .grain = 4096,
                               .checked_floats = 1,
                               .bytes = 4.0 * (1 + (slices > 0 ? slices : FV_SHARDS)) * (double)count};
    return fv__lower_gradient(l, &sum, sizeof sum, shards, spec);
}

/* One buffer for each tensor, with the tensor's number. */
static fv_status add_tensors(fv_plan *plan)
{
    for (size_t t = 0; t < plan->graph->n_tensors; t++) {
        const fv_tensor *const tensor = &plan->graph->tensors[t];
        const bool per_image = tensor->role == FV_ROLE_VALUE || tensor->role == FV_ROLE_INPUT;
        int buffer;
        FV_TRY(fv__plan_buffer(
            plan,
            (fv_buffer){.name = tensor->name,
                        .scope = per_image ? FV_SCOPE_IMAGE : FV_SCOPE_BATCH,
                        .floats = fv__shape_count(tensor->shape),
                        .place = (tensor->role == FV_ROLE_PARAMETER && tensor->source < 0) ||
                                         tensor->role == FV_ROLE_STATISTIC || tensor->role == FV_ROLE_STATE ||
                                         tensor->role == FV_ROLE_SETTING
                                     ? FV_PLACE_EXTERNAL
                                     : FV_PLACE_NONE},
            &buffer));
        plan->buffers[buffer].tensor = (int)t;
    }
    return FV_OK;
}

/* The nodes that a wanted node depends on. */
static fv_status find_wanted(fv_plan *plan)
{
    const fv_graph *const graph = plan->graph;
    const fv_plan_options *const o = &plan->options;
    bool *const wanted = fv__arena_alloc(&plan->arena, graph->n_tensors, sizeof *wanted);
    plan->nodes = fv__arena_alloc(&plan->arena, graph->n_nodes, sizeof *plan->nodes);
    if (!wanted || !plan->nodes)
        return FV_ERR_MEMORY;
    for (size_t t = 0; t < graph->n_tensors; t++)
        wanted[t] = graph->tensors[t].role == FV_ROLE_GRADIENT ||
                    (o->output && fv__graph_is_result(graph, (int)t)) ||
                    (o->loss && fv__graph_is_loss(graph, (int)t));
    for (size_t k = graph->n_nodes; k-- > 0;) {
        const fv_node *const node = &graph->nodes[k];
        wanted[node->output] = node->op->changes ? o->updates : wanted[node->output] || o->keep_all;
        for (int i = 0; i < node->n_inputs && wanted[node->output]; i++)
            wanted[node->input[i]] = true;
        plan->nodes[k] = (fv_node_plan){
            .wanted = wanted[node->output], .first = (int)k, .last = (int)k, .fused = {.residual = -1}};
    }
    for (int f = 0; f < graph->n_feeds; f++)
        plan->feed_wanted[f] = wanted[graph->feed[f].tensor];
    return FV_OK;
}

/* A view of a view becomes a view of the first buffer, so that chains of views stay short. */
static fv_status lower_in_lanes(fv_plan *plan, int k, fv_lower *l)
{
    const fv_graph *const graph = plan->graph;
    const fv_node *const node = &graph->nodes[k];
    for (int i = 0; i < node->n_inputs; i++)
        FV_TRY(fv__one_image_out(plan, node->input[i]));
    if (l->fused && l->fused->residual >= 0)
        FV_TRY(fv__one_image_out(plan, l->fused->residual));
    if (node->op->is_view) {
        plan->buffers[node->output].alias = fv__plan_root(plan, node->input[0]);
        return FV_OK;
    }
    for (int i = 0; i < node->n_inputs; i++) {
        l->in[i] = node->input[i];
        l->in_shape[i] = graph->tensors[node->input[i]].shape;
    }
    return node->op->lower(l);
}

/* Lowers node k and the nodes that are fused behind it. */
static fv_status lower_node(fv_plan *plan, int k)
{
    const fv_graph *const graph = plan->graph;
    const fv_node *const node = &graph->nodes[k];
    const fv_node_plan *const how = &plan->nodes[k];
    fv_lower l = {.ctx = plan->ctx,
                  .arena = &plan->arena,
                  .blocks = plan->blocks,
                  .op = node->op,
                  .attrs = node->attrs,
                  .out = graph->nodes[how->last].output,
                  .out_shape = graph->tensors[node->output].shape,
                  .node = k,
                  .n_inputs = node->n_inputs,
                  .counter = node->counter,
                  .max_batch = plan->options.batch,
                  .direct = plan->options.direct,
                  .way = plan->options.way,
                  .n_workers = plan->options.n_workers,
                  .fused = how->last != k ? &how->fused : NULL,
                  .plan = plan};
    FV_TRY(how->c16 ? fv__one_image_lower(plan, k, &l) : lower_in_lanes(plan, k, &l));
    if (how->last != k && !l.finished)
        return fv__fail(plan->ctx, FV_ERR_INTERNAL, "%s: no step has done what was fused behind it",
                        node->name);
    return FV_OK;
}

static fv_status lower_feed(fv_plan *plan, int feed)
{
    const int tensor = plan->graph->feed[feed].tensor;
    const fv_chw c = fv__shape_chw(plan->graph->tensors[tensor].shape);
    const fv_gather_args g = {c.c, c.h, c.w, feed};
    fv_lower l = {.arena = &plan->arena, .plan = plan, .node = -1};
    fv_step_spec s = {.kernel = FV_KERNEL_gather,
                      .domain = FV_PER_BLOCK,
                      .n_operands = 1,
                      .operand = {tensor},
                      .access = {FV_WRITE},
                      .bytes = 5.0 * c.c * c.h * c.w,
                      .scratch_floats = ((size_t)c.c * (size_t)c.h * (size_t)c.w + 3) / 4};
    s.args = fv__lower_args(&l, &g, sizeof g);
    return fv__lower_step(&l, &s);
}

fv_status fv__plan_lower(fv_plan *plan)
{
    const fv_graph *const graph = plan->graph;
    const bool one_image = plan->options.c16 && graph->n_feeds > 0;
    FV_TRY(add_tensors(plan));
    FV_TRY(find_wanted(plan));
    if (one_image)
        FV_TRY(fv__one_image_layouts(plan));
    FV_TRY(fv__plan_fuse(plan));
    for (int f = 0; f < graph->n_feeds; f++)
        if (plan->feed_wanted[f])
            FV_TRY(one_image && graph->feed[f].kind == FV_FEED_INPUT ? fv__one_image_feed(plan, f)
                                                                     : lower_feed(plan, f));
    for (int k = 0; k < (int)graph->n_nodes; k++)
        if (plan->nodes[k].wanted && plan->nodes[plan->nodes[k].first].last == k)
            FV_TRY(lower_node(plan, plan->nodes[k].first));
    for (size_t t = 0; one_image && t < graph->n_tensors; t++)
        if (fv__graph_is_result(graph, (int)t) || fv__graph_is_loss(graph, (int)t))
            FV_TRY(fv__one_image_out(plan, (int)t));
    return FV_OK;
}
