/* class_shapes.c - the shape rule of softmax. */
#include "ops/class_shapes.h"

fv_status fv__classes_check(const fv_infer *q, int index, const char *noun)
{
    const fv_shape shape = q->input[index]->shape;
    char text[FV_SHAPE_TEXT];
    if (shape.rank != 1)
        return fv__fail(q->ctx, FV_ERR_INPUT,
                        "%s: %s expected one vector of values per image (rank 1), found %s (rank %d): put a "
                        "flatten before it",
                        q->what, noun, fv__shape_text(shape, text), shape.rank);
    return FV_OK;
}

fv_status fv__classes_lower(fv_lower *l, fv_kernel_id kernel)
{
    const fv_classes_args args = {l->in_shape[0].dim[0]};
    return fv__lower_simple(l, kernel, &args, sizeof args);
}

fv_status fv__loss_grad(fv_grad *g, const fv_op *op)
{
    return fv__grad_node(g, op, "dx", g->node->attrs, 2, g->node->input, FV_ROLE_VALUE, -1, &g->dx[0]);
}
