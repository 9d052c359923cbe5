/* layer_shapes.c - shapes of parameters that several layers have. */
#include "ops/layer_shapes.h"

fv_shape fv__shape_per_channel(fv_layer_shapes *q)
{
    return FV_SHAPE(q->in.dim[0]);
}

fv_shape fv__shape_per_output(fv_layer_shapes *q)
{
    return FV_SHAPE(q->count);
}
