/* bench_layers.h - what the parts of bench_layers share: the layers, and the two sides that compute them. */
#ifndef BENCH_LAYERS_H
#define BENCH_LAYERS_H

#include "common.h"

typedef enum pass { PASS_FORWARD, PASS_DATA, PASS_WEIGHTS, N_PASSES } pass;

/* One layer of a network, without bias. Convolutions are over size x size images. A linear layer has kernel 0
 * and is applied to `size` tokens of each image: 1, or a transformer's. */
typedef struct layer {
    const char *network;
    int i, size, o, kernel, stride, pad;
    int count;     /* layers of this shape in the network */
    bool is_first; /* reads the pixels: nobody asks for its data gradient */
} layer;

extern const layer layer_table[]; /* ends with a NULL network; a network's rows are neighbours */
int layer_out_size(const layer *l);
double layer_flops(const layer *l, int batch); /* of any pass: multiply-adds count 2, those with zeros too */
void layer_text(const layer *l, char *text, size_t n_bytes); /* "64@32x32 3x3 from 3, stride 2" */

/* Values of a layer at a batch, as both sides are given them. Convolutions: x [n][i][h][w], w [o][i][kh][kw],
 * y [n][o][oh][ow]. Linear: x [n][token][i], w [o][i], y [n][token][o]. dy and dw as y and w. */
typedef enum operand_id { OPERAND_X, OPERAND_W, OPERAND_Y, N_OPERANDS } operand_id;
typedef struct problem {
    layer layer;
    pass pass;
    int batch;
    float *value[N_OPERANDS]; /* two are read, by the pass; the third is room for a result */
} problem;
operand_id pass_result(pass p);
size_t problem_count(const problem *p, operand_id which);

/* Fovea: a graph of one operation, its plan and a run. Ends the program where something fails. */
typedef struct fovea_side fovea_side;
fovea_side *fovea_side_create(fv_context *ctx, const problem *p);
void fovea_side_run(void *side);
void fovea_side_read(fovea_side *side, const problem *p, float *result);
void fovea_side_destroy(fovea_side *side);

/* oneDNN: one primitive in the layouts that it prefers. Variants are its algorithms, 0 on; NULL where it has
 * no such one for this layer. */
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
