/* graph.h - a computation: tensors, and the nodes that compute one tensor from others.
 *
 * A graph is built by appending and verified after every pass; afterwards it does not change. The order of
 * the nodes is an order of evaluation: a node follows all nodes whose outputs it reads. */
#ifndef FV_GRAPH_GRAPH_H
#define FV_GRAPH_GRAPH_H

#include "base/names.h"
#include "tensor/shape.h"

#define FV_MAX_INPUTS 32 /* of a node */
#define FV_MAX_FEEDS  16 /* inputs and targets of one model */
#define FV_MAX_ENDS   16 /* results, and losses, of one model */

typedef enum fv_role {
    FV_ROLE_VALUE,     /* computed, per image                                          */
    FV_ROLE_INPUT,     /* given from outside, per image: a picture, a class number     */
    FV_ROLE_PARAMETER, /* learned; owned by the model                                  */
    FV_ROLE_STATISTIC, /* stored with the model, not learned: input mean and deviation */
    FV_ROLE_GRADIENT,  /* of a parameter, summed over the batch                        */
    FV_ROLE_STATE,     /* of the optimiser: one per parameter; of a statistic's update */
    FV_ROLE_BATCH,     /* computed, one for all images of a run: a batch's mean        */
    FV_ROLE_SETTING    /* numbers of an optimiser, set for every update */
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
    double scale; /* constant's value, normal's standard deviation, uniform's half width */
    int fan_in, fan_out;
} fv_init;

typedef struct fv_tensor {
    const char *name; /* unique; parameters have PyTorch's names: "c1.weight" */
    fv_shape shape;
    fv_role role;
    fv_init init; /* parameters and statistics */
    bool decays;  /* weight decay applies to it: weights, not biases */
    int source;   /* the node that computes it; -1: none */
    int of;       /* of a gradient or state: its parameter (state: or statistic); otherwise -1 */
} fv_tensor;

struct fv_op;

typedef struct fv_node {
    const struct fv_op *op;
    const char *name;  /* unique: "c1", "relu2", "c1.dx" */
    const char *layer; /* the layer that it belongs to, for messages: "c1" */
    int line;          /* of the model text; 0: unknown */
    int n_inputs;
    int *input; /* [n_inputs], in the graph's arena */
    int output;
    const void *attrs; /* the op's own struct, in the graph's arena; NULL if it has none */
    int counter;       /* counter of its random draws: its number when it was appended */
} fv_node;

typedef enum fv_feed_kind {
    FV_FEED_INPUT,   /* what the first layers read: a picture, a signal, a vector           */
    FV_FEED_CLASSES, /* a target: class numbers, 0 .. n_classes - 1; floats hold them exactly */
    FV_FEED_VALUES   /* a target: any numbers, such as the picture an autoencoder is to make */
} fv_feed_kind;

/* A tensor that is given with every image. fv_given tells a run its address and element type. */
typedef struct fv_feed {
    int tensor;       /* of the role INPUT */
    const char *name; /* the tensor's: "input", "label" */
    fv_feed_kind kind;
    int n_classes; /* FV_FEED_CLASSES */
} fv_feed;

typedef struct fv_graph {
    fv_context *ctx;
    fv_arena arena;
    fv_tensor *tensors;
    fv_node *nodes;
    size_t n_tensors, n_nodes, tensor_capacity, node_capacity;
    fv_names names;             /* of the tensors; a node has the name of its output */
    const char *source;         /* of the model text, for messages */
    fv_feed feed[FV_MAX_FEEDS]; /* the inputs first: feed[0] is what the first layer reads */
    int result[FV_MAX_ENDS];    /* tensors; result[0] is the model's prediction, such as the probabilities */
    int loss[FV_MAX_ENDS];      /* tensors per image, of shape [1]; training minimises their sum */
    int n_feeds, n_results, n_losses;
} fv_graph;

void fv__graph_init(fv_graph *graph, fv_context *ctx, const char *source);
void fv__graph_deinit(fv_graph *graph);
/* A deep copy: passes append to the copy. */
fv_status fv__graph_copy(const fv_graph *from, fv_graph *to);

/* `wish`, or if it is taken the wish with a number: "relu2", "c1_2". In the arena; NULL: no memory. */
const char *fv__graph_free_name(fv_graph *graph, const char *wish);
fv_status fv__graph_tensor(fv_graph *graph, const char *name, fv_shape shape, fv_role role, int *out);
/* Checks the inputs, infers the shape, copies attrs (op->attr_bytes; NULL: defaults), and appends the
 * output tensor of role `role`, named as the node. `of` is -1 or the parameter that a gradient belongs to. */
typedef struct fv_node_spec {
    const struct fv_op *op;
    const char *name;  /* a number makes it unique if it is taken */
    const char *layer; /* NULL: the same as the name */
    int line;
    int n_inputs;
    int input[FV_MAX_INPUTS];
    const void *attrs;
    fv_role role;
    int of;
} fv_node_spec;
fv_status fv__graph_node(fv_graph *graph, const fv_node_spec *spec, int *output);

/* Checks all invariants: ids in range, order, unique names, shapes as inferred, roles. FV_ERR_INTERNAL on
 * failure, because only a defect of Fovea can break them. */
fv_status fv__graph_verify(const fv_graph *graph);
/* Appends to the feeds, results or losses; FV_ERR_INPUT if there are too many. */
fv_status fv__graph_add_feed(fv_graph *graph, int tensor, fv_feed_kind kind, int n_classes);
fv_status fv__graph_add_result(fv_graph *graph, int tensor);
fv_status fv__graph_add_loss(fv_graph *graph, int tensor);
/* The number of the feed with this tensor; -1: none. */
int fv__graph_feed_of(const fv_graph *graph, int tensor);
bool fv__graph_is_result(const fv_graph *graph, int tensor);
bool fv__graph_is_loss(const fv_graph *graph, int tensor);
/* One more than the node that computes the last of the losses, where the forward pass ends. 0: no loss. */
int fv__graph_forward_end(const fv_graph *graph);
/* Inserts a node of one input, `op`, behind a feed: all readers of the feed then read the node. */
fv_status fv__graph_insert_behind(fv_graph *graph, int tensor, const struct fv_op *op, const void *attrs);
int fv__graph_find_tensor(const fv_graph *graph, const char *name); /* -1: none */
fv_status fv__graph_print(const fv_graph *graph, fv_text *text);

#endif
