/* layer_shapes.h - shape rules of parameters, and the parameter rows that several layers share. */
#ifndef FV_OPS_LAYER_SHAPES_H
#define FV_OPS_LAYER_SHAPES_H

#include "graph/op.h"

/* .layers and .n_layers of a row. */
#define FV_LAYERS(array) .layers = (array), .n_layers = (int)(sizeof(array) / sizeof *(array))
/* .parameters and .n_parameters of a layer or of a part. */
#define FV_PARAMETERS(array) .parameters = (array), .n_parameters = (int)(sizeof(array) / sizeof *(array))

fv_shape fv__shape_per_channel(fv_layer_shapes *q); /* [channels of the input] */
fv_shape fv__shape_per_output(fv_layer_shapes *q);  /* [count]                 */

/* FV_ERR_INPUT where input `index` is not [channels of input 0]. */
fv_status fv__expect_per_channel(const fv_infer *q, int index);

#define FV_WEIGHTS(rule)                                                                                     \
    {                                                                                                        \
        .suffix = "weight", .role = FV_ROLE_PARAMETER, .shape = (rule), .weights = true                      \
    }
#define FV_BIAS(rule)                                                                                        \
    {                                                                                                        \
        .suffix = "bias", .role = FV_ROLE_PARAMETER, .shape = (rule), .optional = true                       \
    }

/* weight (initially 1) and bias (0), one per channel: the affine end of a normalisation. */
#define FV_SCALE_AND_SHIFT                                                                                   \
    {.suffix = "weight",                                                                                     \
     .role = FV_ROLE_PARAMETER,                                                                              \
     .shape = fv__shape_per_channel,                                                                         \
     .init = {FV_INIT_CONSTANT, .scale = 1}},                                                                \
    {                                                                                                        \
        .suffix = "bias", .role = FV_ROLE_PARAMETER, .shape = fv__shape_per_channel                          \
    }

#endif
