/* bench_layers.h - declarations that the parts of bench_layers share: the layers, and the two sides. */
#ifndef BENCH_LAYERS_H
#define BENCH_LAYERS_H

#include "common.h"

#include "tensor/shape.h"

typedef enum pass { PASS_FORWARD, PASS_DATA, PASS_WEIGHTS, N_PASSES } pass;

/* One layer of a network, as a line of model text, without bias. `input` is what follows the word input;
 * "tokens CxT" is a sequence of T tokens. */
typedef struct layer {
    const char *network, *input, *text;
    int count;     /* layers of this shape in the network */
    bool is_first; /* reads the data, so its data gradient is not needed */
} layer;

extern const layer layer_table[]; /* ends with a NULL network; a network's rows are neighbours */

typedef enum layer_kind {
    LAYER_LINEAR,
    LAYER_CONV,
    LAYER_TRANSPOSED,
    LAYER_OTHER /* oneDNN has nothing like it */
} layer_kind;

enum { LAYER_AXES = 3 };

/* A layer in numbers; those per direction outermost first. */
typedef struct geometry {
    layer_kind kind;
    fv_shape x, w, y; /* of one image: [c][w], [c][h][w] or [c][t][h][w]; of tokens [c][t] */
    int axes, groups;
    int stride[LAYER_AXES], pad[LAYER_AXES], outpad[LAYER_AXES], dilation[LAYER_AXES];
    double flops; /* of one image and any pass: a multiply-add counts 2, including those with zeros */
} geometry;

/* Values of a layer at a batch, for both sides: x and y are [n] and as in the geometry, but
 * [n][token][channel] for a linear layer; w is in PyTorch's layout. dy and dw are like y and w. */
typedef enum operand_id { OPERAND_X, OPERAND_W, OPERAND_Y, N_OPERANDS } operand_id;
typedef struct problem {
    const layer *layer;
    geometry geometry;
    pass pass;
    int batch;
    float *value[N_OPERANDS]; /* the pass reads two; the third has room for a result */
} problem;
operand_id pass_result(pass p);
size_t problem_count(const problem *p, operand_id which);

/* layer_geometry.c: the model library's geometry of the layer's line. Ends the program if the line is
 * refused. */
void layer_read(fv_context *ctx, const layer *l, geometry *g);
/* The layer as a model that can be planned: its input and line, and an end. */
struct fv_model;
struct fv_model *layer_model(fv_context *ctx, const layer *l);
/* The layer's input and output tensors. */
int layer_model_input(const struct fv_model *model);
int layer_model_output(const struct fv_model *model);

/* Fovea: the layer, or its gradient, alone in a graph, its plan and a run. Ends the program on failure. */
typedef struct fovea_side fovea_side;
fovea_side *fovea_side_create(fv_context *ctx, const problem *p);
void fovea_side_run(void *side);
void fovea_side_read(fovea_side *side, const problem *p, float *result);
void fovea_side_destroy(fovea_side *side);

/* oneDNN: one primitive in its preferred layouts. Variants are its algorithms, from 0 on; NULL if it has no
 * such variant for this layer. */
typedef struct dnnl_side dnnl_side;
enum { DNNL_SIDE_VARIANTS = 3 };
void dnnl_side_start(int n_threads);
dnnl_side *dnnl_side_create(const problem *p, int variant);
void dnnl_side_run(void *side);
void dnnl_side_read(dnnl_side *side, const problem *p, float *result);
const char *dnnl_side_name(const dnnl_side *side); /* of the implementation: "jit:avx512_core" */
void dnnl_side_destroy(dnnl_side *side);
const char *dnnl_side_version(void);

#endif
