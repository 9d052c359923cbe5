/* layer_shapes.c - parameter shapes that several layers share. */
#include "ops/layer_shapes.h"

fv_shape fv__shape_per_channel(fv_layer_shapes *q)
{
    return FV_SHAPE(q->in.dim[0]);
}

fv_shape fv__shape_per_output(fv_layer_shapes *q)
{
    return FV_SHAPE(q->count);
}

fv_status fv__expect_per_channel(const fv_infer *q, int index)
{
    const fv_shape shape = q->input[index]->shape;
    const int channels = q->input[0]->shape.dim[0];
    char found[FV_SHAPE_TEXT];
    if (shape.rank != 1 || shape.dim[0] != channels)
        return fv__fail(q->ctx, FV_ERR_INPUT, "%s: '%s' has shape %s; expected %d, a number per channel",
                        q->what, q->input[index]->name, fv__shape_text(shape, found), channels);
    return FV_OK;
}
