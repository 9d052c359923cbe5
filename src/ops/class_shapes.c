/* class_shapes.c - the shape rules of softmax and of the losses. */
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

static fv_status check_label(const fv_infer *q)
{
    const fv_tensor *label = q->input[1];
    char text[FV_SHAPE_TEXT];
    if (label->shape.rank != 1 || label->shape.dim[0] != 1)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: expected one label per image, found '%s' of %s", q->what,
                        label->name, fv__shape_text(label->shape, text));
    return FV_OK;
}

fv_status fv__loss_infer(fv_infer *q)
{
    FV_TRY(fv__classes_check(q, 0, "the loss"));
    FV_TRY(check_label(q));
    q->out = FV_SHAPE(1);
    return FV_OK;
}

fv_status fv__loss_infer_dx(fv_infer *q)
{
    FV_TRY(fv__loss_infer(q));
    q->out = q->input[0]->shape;
    return FV_OK;
}

fv_status fv__loss_grad(fv_grad *g, const fv_op *op)
{
    return fv__grad_node(g, op, "dx", g->node->attrs, 2, g->node->input, FV_ROLE_VALUE, -1, &g->dx[0]);
}

fv_status fv__classes_lower(fv_lower *l, fv_kernel_id kernel)
{
    const fv_classes_args args = {l->in_shape[0].dim[0]};
    return fv__lower_simple(l, kernel, &args, sizeof args);
}
