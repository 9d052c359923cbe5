/* graph.h - what is to be computed: tensors, and the nodes that make one tensor from others.
 *
 * A graph is built by appending and is verified after every pass; from then on nobody changes it.
 * Node order is an order of evaluation: a node comes after all that it reads. */
#ifndef FV_GRAPH_GRAPH_H
#define FV_GRAPH_GRAPH_H

#include "base/names.h"
#include "tensor/shape.h"

#define FV_MAX_INPUTS 32 /* of a node */

typedef enum fv_role {
    FV_ROLE_VALUE,     /* computed, per image                                          */
    FV_ROLE_INPUT,     /* raw pixels / 255, per image                                  */
    FV_ROLE_LABEL,     /* class numbers, per image, shape [1]                          */
    FV_ROLE_PARAMETER, /* learned; owned by the model                                  */
    FV_ROLE_STATISTIC, /* stored with the model, not learned: input mean and deviation */
    FV_ROLE_GRADIENT,  /* of a parameter, summed over the batch                        */
    FV_ROLE_STATE,     /* of the optimiser: one per parameter; of a statistic's update */
    FV_ROLE_BATCH,     /* computed, one for all images of a run: a batch's mean        */
    FV_ROLE_SETTING    /* numbers of an optimiser, given anew with every update        */
} fv_role;

typedef enum fv_init_kind {
    FV_INIT_ZERO,
    FV_INIT_CONSTANT,
    FV_INIT_NORMAL,
    FV_INIT_UNIFORM,
    FV_INIT_XAVIER,
    FV_INIT_HE,
    FV_INIT_LECUN
} fv_init_kind;

typedef struct fv_init {
    fv_init_kind kind;
    double scale; /* constant's value, normal's deviation, uniform's half width */
    int fan_in, fan_out;
} fv_init;

typedef struct fv_tensor {
    const char *name; /* unique; parameters have PyTorch's names: "c1.weight" */
    fv_shape shape;
    fv_role role;
    fv_init init; /* parameters and statistics */
    bool decays;  /* weight decay acts on it: weights, not biases */
    int source;   /* the node that makes it; -1: none */
    int of;       /* gradient and state: their parameter (state: or statistic); else -1 */
} fv_tensor;

struct fv_op;

typedef struct fv_node {
    const struct fv_op *op;
    const char *name;  /* unique: "c1", "relu2", "c1.dx" */
    const char *layer; /* the layer it came from, for messages: "c1" */
    int line;          /* of the model text; 0: none */
    int n_inputs;
    int *input; /* [n_inputs], in the graph's arena */
    int output;
    const void *attrs; /* the op's own struct, in the graph's arena; NULL if it has none */
} fv_node;

typedef struct fv_graph {
    fv_context *ctx;
    fv_arena arena;
    fv_tensor *tensors;
    fv_node *nodes;
    size_t n_tensors, n_nodes, tensor_capacity, node_capacity;
    fv_names names;     /* of the tensors; a node has the name of its output */
    const char *source; /* of the model text, for messages */
    int input, label;   /* tensors; label -1: none */
    int output;         /* probabilities (or whatever the model ends in) */
    int loss;           /* per image, shape [1]; -1: none */
} fv_graph;

void fv__graph_init(fv_graph *graph, fv_context *ctx, const char *source);
void fv__graph_deinit(fv_graph *graph);
/* A deep copy: passes append to a copy, the original stays as it was. */
fv_status fv__graph_copy(const fv_graph *from, fv_graph *to);

/* `wish`, or where that is taken the wish with a number: "relu2", "c1_2". In the arena; NULL: no memory. */
const char *fv__graph_free_name(fv_graph *graph, const char *wish);
fv_status fv__graph_tensor(fv_graph *graph, const char *name, fv_shape shape, fv_role role, int *out);
/* Checks the inputs, infers the shape, copies attrs (op->attr_bytes; NULL: defaults), and makes the
 * output tensor: of role `role`, named as the node. `of` is -1 or the parameter a gradient belongs to. */
typedef struct fv_node_spec {
    const struct fv_op *op;
    const char *name;  /* made unique by a number if it is taken */
    const char *layer; /* NULL: the name */
    int line;
    int n_inputs;
    int input[FV_MAX_INPUTS];
    const void *attrs;
    fv_role role;
    int of;
} fv_node_spec;
fv_status fv__graph_node(fv_graph *graph, const fv_node_spec *spec, int *output);

/* Everything that must hold: ids in range, order, unique names, shapes as inferred, roles. FV_ERR_INTERNAL
 * where it does not: a graph is wrong only by our own bug. */
fv_status fv__graph_verify(const fv_graph *graph);
int fv__graph_find_tensor(const fv_graph *graph, const char *name); /* -1: none */
fv_status fv__graph_print(const fv_graph *graph, fv_text *text);

#endif
