/* one_image.c - the part of lowering that stores one image with 16 of its channels in a vector (c16), where
 * the operations allow it.
 *
 * A tensor in c16 has a buffer of its own beside the tensor's. The inputs of an operation that cannot work
 * in c16 are copied into lane 0 of 16 images, the layout of all other plans. */
#include "plan/passes.h"

#include "ops/ops.h"
#include "ops/conv_c16.h"

fv_status fv__lower_bundles(fv_lower *l, fv_shape shape, int *out)
{
    const fv_chw image = fv__shape_chw(shape);
    FV_TRY(fv__lower_buffer(l, FV_SCOPE_C16, (int64_t)image.h * image.w * FV_LANES, out));
    l->plan->buffers[*out].bundles = fv__c16_bundles(image.c);
    return FV_OK;
}

static fv_status add_c16(fv_plan *plan, int tensor)
{
    const fv_tensor *const t = &plan->graph->tensors[tensor];
    fv_lower l = {.plan = plan};
    FV_TRY(fv__lower_bundles(&l, t->shape, &plan->in_c16[tensor]));
    fv_buffer *const b = &plan->buffers[plan->in_c16[tensor]];
    b->name = t->name;
    b->tensor = tensor;
    return FV_OK;
}

static bool in_c16(const fv_plan *plan, int tensor)
{
    const fv_tensor *const t = &plan->graph->tensors[tensor];
    const int feed = fv__graph_feed_of(plan->graph, tensor);
    return t->source < 0 ? feed >= 0 && plan->graph->feed[feed].kind == FV_FEED_INPUT
                         : plan->nodes[t->source].c16;
}

static bool fits(const fv_plan *plan, const fv_node *node)
{
    const fv_graph *const graph = plan->graph;
    fv_shape in[FV_MAX_INPUTS];
    bool able = node->op->by_channel || node->op->lower_c16;
    for (int i = 0; i < node->n_inputs; i++) {
        const fv_tensor *const t = &graph->tensors[node->input[i]];
        in[i] = t->shape;
        if (t->role == FV_ROLE_VALUE || t->role == FV_ROLE_INPUT)
            able = able && in_c16(plan, node->input[i]);
    }
    return able &&
           (!node->op->fits_c16 || node->op->fits_c16(node->attrs, in, graph->tensors[node->output].shape));
}

fv_status fv__one_image_layouts(fv_plan *plan)
{
    const fv_graph *const graph = plan->graph;
    plan->in_c16 = fv__arena_alloc(&plan->arena, graph->n_tensors, sizeof *plan->in_c16);
    plan->in_lanes = fv__arena_alloc(&plan->arena, graph->n_tensors, sizeof *plan->in_lanes);
    if (!plan->in_c16 || !plan->in_lanes)
        return FV_ERR_MEMORY;
    for (size_t t = 0; t < graph->n_tensors; t++)
        plan->in_c16[t] = -1;
    for (size_t k = 0; k < graph->n_nodes; k++)
        plan->nodes[k].c16 = fits(plan, &graph->nodes[k]);
    return FV_OK;
}

fv_status fv__one_image_feed(fv_plan *plan, int feed)
{
    const int tensor = plan->graph->feed[feed].tensor;
    const fv_chw image = fv__shape_chw(plan->graph->tensors[tensor].shape);
    const fv_gather_args args = {image.c, image.h, image.w, feed};
    fv_lower l = {.arena = &plan->arena, .plan = plan, .node = -1};
    FV_TRY(add_c16(plan, tensor));
    const fv_step_spec s = {.kernel = FV_KERNEL_gather_c16,
                            .domain = FV_PER_RANGE,
                            .args = fv__lower_args(&l, &args, sizeof args),
                            .n_operands = 1,
                            .operand = {plan->in_c16[tensor]},
                            .access = {FV_WRITE},
                            .units = image.h,
                            .grain = 32,
                            .of_images = true,
                            .bytes = 5.0 * image.c * image.h * image.w};
    return fv__lower_step(&l, &s);
}

static fv_shape of_one_channel(fv_shape shape)
{
    shape.dim[0] = 1;
    return shape;
}

/* The steps that blocks of 16 images would have; bundles of 16 channels take the place of the blocks. */
fv_status fv__lower_by_bundle(fv_lower *l, fv_status (*lower)(fv_lower *l, const void *data),
                              const void *data)
{
    fv_plan *const plan = l->plan;
    const int bundles = fv__c16_bundles(l->out_shape.dim[0]);
    const size_t first = plan->n_steps;
    l->out_shape = of_one_channel(l->out_shape);
    for (int i = 0; i < l->n_inputs; i++)
        l->in_shape[i] = of_one_channel(l->in_shape[i]);
    FV_TRY(lower(l, data));
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

static fv_status lower_op(fv_lower *l, const void *op)
{
    return ((const fv_op *)op)->lower(l);
}

/* A view of a tensor in c16 stays a view, unless values would have to move from one bundle to another. */
static bool stays_view(const fv_node *node, const fv_lower *l)
{
    const fv_chw image = fv__shape_chw(l->in_shape[0]);
    return node->op->is_view && (!node->op->lower_c16 || (image.h == 1 && image.w == 1));
}

fv_status fv__one_image_lower(fv_plan *plan, int k, fv_lower *l)
{
    const fv_node *const node = &plan->graph->nodes[k];
    const int out = plan->graph->nodes[plan->nodes[k].last].output;
    fv_fused fused;
    l->n_inputs = node->n_inputs;
    for (int i = 0; i < node->n_inputs; i++) {
        const int c16 = plan->in_c16[node->input[i]];
        l->in[i] = c16 >= 0 ? c16 : node->input[i];
        l->in_shape[i] = plan->graph->tensors[node->input[i]].shape;
    }
    FV_TRY(add_c16(plan, out));
    l->out = plan->in_c16[out];
    if (stays_view(node, l)) {
        plan->buffers[l->out].alias = fv__plan_root(plan, l->in[0]);
        return FV_OK;
    }
    if (l->fused) {
        fused = *l->fused;
        fused.residual = fused.residual >= 0 ? plan->in_c16[fused.residual] : -1;
        l->fused = &fused;
    }
    const fv_status status =
        node->op->by_channel ? fv__lower_by_bundle(l, lower_op, node->op) : node->op->lower_c16(l);
    l->fused = NULL;
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
