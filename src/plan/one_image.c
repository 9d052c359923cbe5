/* one_image.c - part of the first pass: one image, its channels side by side, while the operations can.
 *
 * A tensor in c16 has a buffer of its own beside the tensor's. An operation that cannot work so finds its
 * inputs turned into lane 0 of 16 images, as the other operations know them. What stands alone behind a
 * convolution (batch normalisation, a residual, ReLU) becomes part of it. */
#include "plan/passes.h"

#include "ops/ops.h"
#include "ops/conv_c16.h"

static fv_status add_c16(fv_plan *plan, int tensor)
{
    const fv_tensor *const t = &plan->graph->tensors[tensor];
    const fv_chw image = fv__shape_chw(t->shape);
    fv_lower l = {.plan = plan};
    FV_TRY(fv__lower_buffer(&l, FV_SCOPE_C16, (int64_t)image.h * image.w * FV_LANES, &plan->in_c16[tensor]));
    fv_buffer *const b = &plan->buffers[plan->in_c16[tensor]];
    b->name = t->name;
    b->tensor = tensor;
    b->bundles = fv__c16_bundles(image.c);
    return FV_OK;
}

/* Node k, which reads tensors, joins their readers; or, with -1, leaves them. */
static void count_reader(fv_plan *plan, int k, int by)
{
    const fv_node *const node = &plan->graph->nodes[k];
    for (int i = 0; i < node->n_inputs; i++) {
        plan->readers[node->input[i]].n += by;
        plan->readers[node->input[i]].sum += (int64_t)by * k;
    }
}

static fv_status find_readers(fv_plan *plan, const bool *skip)
{
    const fv_graph *const graph = plan->graph;
    plan->readers = fv__arena_alloc(&plan->arena, graph->n_tensors, sizeof *plan->readers);
    for (int k = 0; plan->readers && k < (int)graph->n_nodes; k++)
        if (!skip[k])
            count_reader(plan, k, 1);
    return plan->readers ? FV_OK : FV_ERR_MEMORY;
}

fv_status fv__one_image_input(fv_plan *plan, const bool *skip)
{
    const fv_graph *const graph = plan->graph;
    const fv_chw image = fv__shape_chw(graph->tensors[graph->input].shape);
    const fv_gather_args args = {image.c, image.h, image.w};
    fv_lower l = {.arena = &plan->arena, .plan = plan, .node = -1};
    plan->in_c16 = fv__arena_alloc(&plan->arena, graph->n_tensors, sizeof *plan->in_c16);
    plan->in_lanes = fv__arena_alloc(&plan->arena, graph->n_tensors, sizeof *plan->in_lanes);
    if (!plan->in_c16 || !plan->in_lanes)
        return FV_ERR_MEMORY;
    for (size_t t = 0; t < graph->n_tensors; t++)
        plan->in_c16[t] = -1;
    FV_TRY(find_readers(plan, skip));
    FV_TRY(add_c16(plan, graph->input));
    const fv_step_spec s = {.kernel = FV_KERNEL_gather_c16,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(&l, &args, sizeof args),
                            .n_operands = 1,
                            .operand = {plan->in_c16[graph->input]},
                            .access = {FV_WRITE},
                            .units = image.h,
                            .grain = 32,
                            .of_images = true,
                            .bytes = 5.0 * image.c * image.h * image.w};
    return fv__lower_step(&l, &s);
}

/* The only node that reads `tensor`; NULL: none, or several, or it is what the plan is made for. */
static const fv_node *only_reader(const fv_plan *plan, int tensor)
{
    const fv_graph *const graph = plan->graph;
    const fv_readers *const readers = &plan->readers[tensor];
    const bool fuses = tensor != graph->output && !plan->options.keep_all && !plan->options.unfused;
    return fuses && readers->n == 1 ? &graph->nodes[readers->sum] : NULL;
}

/* Nodes that may be fused behind a sum: batch normalisation, a residual, ReLU. */
#define FUSED_NODES 3

/* What follows the sum of node k and stands alone there, in the order in which a kernel does it. Returns the
 * tensor that comes out; the nodes, up to the first -1, need no steps of their own. */
static int find_fused(const fv_plan *plan, int k, fv_fused *fused, int nodes[FUSED_NODES + 1])
{
    const fv_graph *const graph = plan->graph;
    int tensor = graph->nodes[k].output;
    int n_fused = 0;
    *fused = (fv_fused){.residual = -1};
    for (const fv_node *n; (n = only_reader(plan, tensor)) != NULL; tensor = n->output) {
        if (n->op == &fv_op_batchnorm_inference && !fused->affine && fused->residual < 0 && !fused->relu) {
            fused->affine = true;
            for (int i = 0; i < 4; i++)
                fused->norm[i] = n->input[1 + i];
        } else if (n->op == &fv_op_add && fused->residual < 0 && !fused->relu) {
            const int other = n->input[n->input[0] == tensor];
            if (other == tensor || plan->in_c16[other] < 0)
                break;
            fused->residual = plan->in_c16[other];
        } else if (n->op == &fv_op_relu && !fused->relu) {
            fused->relu = true;
        } else {
            break;
        }
        nodes[n_fused++] = (int)(n - graph->nodes);
    }
    nodes[n_fused] = -1;
    return tensor;
}

static fv_lower begin(fv_plan *plan, int k)
{
    const fv_graph *const graph = plan->graph;
    const fv_node *const node = &graph->nodes[k];
    fv_lower l = {.ctx = plan->ctx,
                  .arena = &plan->arena,
                  .attrs = node->attrs,
                  .out_shape = graph->tensors[node->output].shape,
                  .node = k,
                  .max_batch = 1,
                  .direct = plan->options.direct,
                  .n_workers = plan->options.n_workers,
                  .plan = plan,
                  .n_inputs = node->n_inputs};
    for (int i = 0; i < node->n_inputs; i++) {
        const int c16 = plan->in_c16[node->input[i]];
        l.in[i] = c16 >= 0 ? c16 : node->input[i];
        l.in_shape[i] = graph->tensors[node->input[i]].shape;
    }
    return l;
}

static fv_shape of_one_channel(fv_shape shape)
{
    shape.dim[0] = 1;
    return shape;
}

/* The steps that blocks of 16 images would have, with bundles of 16 channels in their place. */
static fv_status lower_by_channel(fv_plan *plan, int k, fv_lower *l)
{
    const int bundles = fv__c16_bundles(l->out_shape.dim[0]);
    const size_t first = plan->n_steps;
    l->out_shape = of_one_channel(l->out_shape);
    for (int i = 0; i < l->n_inputs; i++)
        l->in_shape[i] = of_one_channel(l->in_shape[i]);
    FV_TRY(plan->graph->nodes[k].op->lower(l));
    for (size_t s = first; s < plan->n_steps; s++) {
        fv_step_spec *const spec = &plan->steps[s].spec;
        spec->domain = FV_PER_BUNDLE;
        spec->units = bundles;
        spec->grain = 1;
        spec->flops *= bundles * FV_LANES;
        spec->bytes *= bundles * FV_LANES;
    }
    return FV_OK;
}

/* A view of a tensor in c16 stays one, unless values would have to move between bundles. */
static bool stays_view(const fv_node *node, const fv_lower *l)
{
    const fv_chw image = fv__shape_chw(l->in_shape[0]);
    return node->op->is_view && (!node->op->lower_c16 || (image.h == 1 && image.w == 1));
}

fv_status fv__one_image_lower_node(fv_plan *plan, int k, bool *skip)
{
    const fv_node *const node = &plan->graph->nodes[k];
    bool able = node->op->by_channel || node->op->lower_c16;
    for (int i = 0; i < node->n_inputs; i++)
        if (plan->graph->tensors[node->input[i]].role == FV_ROLE_VALUE ||
            plan->graph->tensors[node->input[i]].role == FV_ROLE_INPUT)
            able = able && plan->in_c16[node->input[i]] >= 0;
    if (!able)
        return FV_ERR_UNSUPPORTED;
    fv_lower l = begin(plan, k);
    if (stays_view(node, &l)) {
        FV_TRY(add_c16(plan, node->output));
        plan->buffers[plan->in_c16[node->output]].alias = fv__plan_root(plan, l.in[0]);
        return FV_OK;
    }
    fv_fused fused;
    int behind[FUSED_NODES + 1] = {-1};
    const bool sums = node->op == &fv_op_conv2d || node->op == &fv_op_linear;
    const int out = sums ? find_fused(plan, k, &fused, behind) : node->output;
    l.fused = sums ? &fused : NULL;
    FV_TRY(add_c16(plan, out));
    l.out = plan->in_c16[out];
    const fv_status status = node->op->by_channel ? lower_by_channel(plan, k, &l) : node->op->lower_c16(&l);
    if (status == FV_ERR_UNSUPPORTED)
        plan->in_c16[out] = -1;
    for (int i = 0; status == FV_OK && behind[i] >= 0; i++) {
        skip[behind[i]] = true;
        count_reader(plan, behind[i], -1);
    }
    return status;
}

fv_status fv__one_image_out(fv_plan *plan, int tensor)
{
    if (!plan->in_c16 || plan->in_c16[tensor] < 0 || plan->in_lanes[tensor])
        return FV_OK;
    fv_lower l = {.arena = &plan->arena,
                  .plan = plan,
                  .node = plan->graph->tensors[tensor].source,
                  .out = tensor,
                  .in = {plan->in_c16[tensor]}};
    plan->in_lanes[tensor] = true;
    return fv__c16_lower_out(&l, plan->graph->tensors[tensor].shape, FV_LANES);
}
