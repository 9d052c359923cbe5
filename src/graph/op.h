/* op.h - the description of an operation: its shape rule, gradient, reference, lowering, cost and test cases.
 *
 * Each operation has a file under src/ops/ and a row in ops.def. Each interpreter (shape inference,
 * differentiation, the reference, the plan) uses one member of the row. */
#ifndef FV_GRAPH_OP_H
#define FV_GRAPH_OP_H

#include "graph/graph.h"

/* ---- attributes: the words of an operation in the model text ------------------------------------- */

typedef enum fv_attr_type {
    FV_ATTR_INT,    /* int: "3"                                                                  */
    FV_ATTR_PAIR,   /* int[2]: "5x5", or "2" for both                                            */
    FV_ATTR_FLOAT,  /* float: "0.5"                                                              */
    FV_ATTR_SIZES,  /* fv_sizes: a number per direction, "3x5x5", or one for all; or a choice    */
    FV_ATTR_CHOICE, /* fv_choice: one of some words, of which "constant:" takes a number behind  */
    FV_ATTR_LIST,   /* int n, then int[count]: "2x0x1"                                           */
    FV_ATTR_FLOATS, /* int n, then float[count]: "1/0.5/2"                                       */
    FV_ATTR_TABLE   /* int n, then int[count]: "0.1/2", rows of numbers, -1 at the end of each   */
} fv_attr_type;

#define FV_DIRECTIONS 3 /* the most directions in which a window slides */

/* One number for each direction, outermost first. */
typedef struct fv_sizes {
    int n; /* the count of numbers; 1: one for all directions; 0: the word choices[at[0]] */
    int at[FV_DIRECTIONS];
} fv_sizes;

typedef struct fv_choice {
    int index; /* in choices */
    float value;
} fv_choice;

typedef struct fv_attr_spec {
    const char *word; /* "stride" */
    fv_attr_type type;
    size_t offset;   /* in the op's attribute struct */
    double min, max; /* bounds of every number, inclusive; of a choice: of its number */
    double initial;  /* default of every number; of a choice: its index; a list is empty by default */
    const char *const *choices; /* ends with NULL; of CHOICE, or words that SIZES takes instead of numbers */
    int count;                  /* LIST, FLOATS, TABLE: capacity of the attribute, in numbers */
} fv_attr_spec;

/* ---- arguments of an operation's functions -------------------------------------------------------- */

typedef struct fv_infer {
    fv_context *ctx;
    const char *what; /* prefix of messages: "model.fovea:3: conv c1" */
    const struct fv_op *op;
    const void *attrs;
    int n_inputs;
    const fv_tensor *input[FV_MAX_INPUTS];
    fv_shape out; /* result */
} fv_infer;

typedef struct fv_grad {
    fv_graph *graph;
    const fv_node *node; /* the forward node (a copy: appending moves the graph's own) */
    int dy;              /* gradient of its output; -1 for a loss: each image has the weight 1/batch */
    bool wanted[FV_MAX_INPUTS];
    int dx[FV_MAX_INPUTS]; /* result: one tensor for each wanted input; -1: it has no gradient */
} fv_grad;
/* Appends a node that inherits the layer and line of g->node. */
fv_status fv__grad_node(fv_grad *g, const struct fv_op *op, const char *suffix, const void *attrs,
                        int n_inputs, const int *inputs, fv_role role, int of, int *output);

/* Arguments of the reference, plain loops in double. Per-image tensors are [n][...], others have their own
 * shape. */
typedef struct fv_ref {
    const struct fv_op *op;
    const void *attrs;
    int n; /* images */
    int n_inputs;
    const double *in[FV_MAX_INPUTS];
    double *changed[FV_MAX_INPUTS]; /* in[i] if fv_op.changes has bit i, otherwise NULL */
    fv_shape in_shape[FV_MAX_INPUTS];
    double *out; /* the reference must write all of it */
    fv_shape out_shape;
    uint64_t seed; /* dropout: part of the counter */
    uint32_t step, epoch, node;
    double rounding;      /* not 0: fv__ref_rounded changes its argument by about this share ... */
    struct fv_rng *draws; /* ... of it, at random, as rounding may */
    struct fv_pool *pool; /* NULL: the calling thread works alone */
} fv_ref;
/* An intermediate value which a subtraction may cancel completely: unchanged, or changed by a rounding. */
double fv__ref_rounded(const fv_ref *r, double value);

/* Adds one number to a hash of many: fv__hash_side(... fv__hash_side(FV_HASH_SIDES, a) ..., z). */
#define FV_HASH_SIDES 0xcbf29ce484222325u
static inline uint64_t fv__hash_side(uint64_t hash, int64_t number)
{
    return (hash ^ (uint64_t)number) * 0x100000001b3u;
}

typedef struct fv_cost {
    double flops, bytes; /* of one image, without the bytes of parameters */
} fv_cost;

/* Shapes for the op harness: inputs up to the first of rank 0. Attributes are words as in the model text:
 * "stride=2 pad=1". */
#define FV_CASE_INPUTS 8
typedef struct fv_case {
    int batch;
    fv_shape in[FV_CASE_INPUTS];
    const char *words;
} fv_case;

/* ---- the description of an operation -------------------------------------------------------------- */

/* The part of its family that it computes. The forward operation of conv and both of its gradients belong
 * to the family "conv". */
typedef enum fv_part {
    FV_PART_FORWARD,
    FV_PART_LOSS,       /* forward, and what is learned from: one number an image            */
    FV_PART_DATA,       /* the gradient of a value                                           */
    FV_PART_WEIGHTS,    /* the gradient of a parameter ...                                   */
    FV_PART_BIAS,       /* ... and of a bias                                                 */
    FV_PART_STATISTICS, /* what a forward operation reads of the whole batch                 */
    FV_PART_SUMS,       /* what the gradients read of the whole batch                        */
    FV_PART_UPDATE,     /* changes a parameter (input 0) where it is                         */
    FV_PART_TRACK       /* changes a running statistic (input 0) where it is                 */
} fv_part;

/* The part that an operation can be in the epilogue of another one, which applies it to its sums before it
 * stores them. */
typedef enum fv_finish {
    FV_FINISH_NONE,
    FV_FINISH_AFFINE,   /* gamma (y - mean) / sqrt(var + eps) + beta; inputs 1 to 4: mean, var, gamma, beta */
    FV_FINISH_RESIDUAL, /* a + b, where the sums are either of them */
    FV_FINISH_RELU      /* max(y, 0)                                */
} fv_finish;

#define FV_EPILOGUE(finish) (1u << (finish))

/* The replacement of an operation in a graph for inference. */
typedef struct fv_inference {
    const struct fv_op *op; /* NULL: the operation itself */
    int n_inputs;
    int8_t input[FV_CASE_INPUTS]; /* the inputs of the node that it reads */
} fv_inference;

/* ---- the layers of the model text ----------------------------------------------------------------- */

typedef enum fv_slot_type {
    FV_SLOT_NONE,
    FV_SLOT_NAME,   /* of this layer                                     */
    FV_SLOT_COUNT,  /* channels, features                                */
    FV_SLOT_WINDOW, /* a number for each direction of the input, or one for all */
    FV_SLOT_ATTR,   /* an attribute of the operation                     */
    FV_SLOT_LAYER,  /* the name of an earlier layer: the next input      */
    FV_SLOT_LAYERS  /* one such name or more; the last positional word   */
} fv_slot_type;

#define FV_SLOTS 4
/* A positional word. */
typedef struct fv_slot {
    fv_slot_type type;
    const char *word; /* its name in messages; an attribute has its own word */
} fv_slot;

/* The properties that determine the shape of a parameter. */
typedef struct fv_layer_shapes {
    fv_shape in;                         /* what the layer reads      */
    int count;                           /* the layer's FV_SLOT_COUNT */
    int window[FV_DIRECTIONS], n_window; /* its FV_SLOT_WINDOW: n_window = rank of the input - 1 */
    const void *attrs;
    /* Result, if the shape is not [out][in][window...]: the inputs that an output sums, and the outputs
     * that an input contributes to, for the initialisation. */
    int64_t fan_in, fan_out;
} fv_layer_shapes;

/* A further input of a layer's node: a tensor that is stored with the model, or one of the whole batch,
 * which `of_batch` computes from the layer's input. */
typedef struct fv_parameter_spec {
    const char *suffix; /* "weight" makes NAME.weight; NULL: NAME itself */
    fv_role role;       /* FV_ROLE_PARAMETER, FV_ROLE_STATISTIC, FV_ROLE_BATCH */
    fv_shape (*shape)(fv_layer_shapes *q);
    fv_init init;  /* its initialisation, unless ... */
    bool weights;  /* ... the layer takes init=, and weight decay acts on it */
    bool optional; /* a bias: bias=no leaves it out */
    bool table;    /* the layer takes table=, which says which of its weights exist */
    const struct fv_op *of_batch;
} fv_parameter_spec;

/* One node of a layer of several nodes. */
typedef struct fv_layer_part {
    const struct fv_op *op;
    const char *suffix; /* of the node's name; NULL: NAME itself */
    const fv_parameter_spec *parameters;
    int n_parameters;
    /* Sets the attributes of this part from the layer's own; before it they have their defaults. NULL: they
     * keep them. */
    void (*set)(fv_shape in, const void *layer, void *attrs);
} fv_layer_part;

/* The kinds of input that a layer reads. */
enum {
    FV_READS_VECTOR = 1 << 1,
    FV_READS_SEQUENCE = 1 << 2,
    FV_READS_IMAGE = 1 << 3,
    FV_READS_VIDEO = 1 << 4
};

/* A layer word with one node: the operation, named NAME, which reads the line's input, the layers that the
 * line names, and the parameters, in this order. */
typedef struct fv_layer_kind {
    const char *word;        /* "conv" */
    const char *help;        /* one line */
    const struct fv_op *op;  /* its attributes are keys of the line, or positional words */
    fv_slot slot[FV_SLOTS];  /* positional words */
    unsigned reads;          /* bits of FV_READS; 0: only the operation's shape rule limits the input */
    const char *node_suffix; /* the node is named NAME.suffix, because a parameter has the name NAME */
    const fv_parameter_spec *parameters;
    int n_parameters;
    const fv_layer_part
        *parts; /* several nodes, each of which reads the one before it: instead of the three above */
    int n_parts;
    void (*set)(fv_shape in,
                void *attrs); /* sets the attributes that are no positional words: no keys then */
    /* The line names a layer whose node this one follows. Sets the attributes (none of them is then a key)
     * and the tensor that is read from that node. Returns false if the layer is no `of_word`. */
    bool (*of_layer)(const fv_node *maker, void *attrs, int *tensor);
    const char *of_word;
} fv_layer_kind;

struct fv_lower; /* plan/lower.h */

/* The content of the second input of a loss or of its gradient. It gets no gradient. */
typedef enum fv_target {
    FV_TARGET_NONE,  /* no loss */
    FV_TARGET_CLASS, /* class numbers below the number of values of the first input */
    FV_TARGET_BITS,  /* 0 or 1 */
    FV_TARGET_VALUES /* any numbers */
} fv_target;

typedef struct fv_op {
    const char *name;
    const char *family; /* NULL: its name; see fv__op_family */
    fv_part part;
    fv_role out;                  /* the role of its output */
    int n_inputs, n_optional;     /* inputs, of which the last n_optional may be absent */
    bool variadic;                /* the last input may be repeated, up to FV_MAX_INPUTS inputs in all */
    fv_role role[FV_CASE_INPUTS]; /* the role of each input; VALUE also stands for INPUT; see fv__op_role */
    size_t attr_bytes;
    const fv_attr_spec *attrs; /* n_attrs of them */
    int n_attrs;
    fv_target target;
    bool gives_probabilities;      /* every value of its output is in 0 to 1 */
    const struct fv_map_rule *map; /* it moves values along axes by this rule: ops/axis_map.h */
    bool has_window;   /* input 1 is weights whose last dimensions are a window that slides over input 0 */
    bool is_view;      /* the output is the first input under another shape */
    unsigned in_place; /* bit i: may write its output over input i */
    unsigned changes;  /* bit i: changes input i in place: parameters, states, running statistics. Its output
                        * is empty and only gives the node its place in the graph */
    bool cheap;        /* may be rematerialised: the backward pass recomputes its output from its inputs, if
                        * these are still in memory */
    bool no_gradient;  /* no gradient passes through it: a backward operation, an update, the first
                        * operation behind an input, a function whose slope is 0 everywhere */
    fv_finish finish;
    /* What its own epilogue can do: the bits FV_EPILOGUE(finish); in c16, likewise. The kernels that
     * `lower` chooses must be able to do the same: see FV_CAN_... in their rows. */
    unsigned epilogue, epilogue_c16;
    fv_inference inference;
    /* Appends the nodes that update the running statistics of `node` after a batch; NULL: it has none. */
    fv_status (*track)(fv_graph *graph, const fv_node *node);
    fv_status (*infer)(fv_infer *q);
    fv_status (*grad)(fv_grad *g); /* required unless no_gradient */
    void (*ref)(const fv_ref *r);
    /* The largest distance of its kernels from `ref`: tolerance * (|value| + rms of the output). 0 stands
     * for FV_TOLERANCE, for single elements and short sums; FV_TOLERANCE_LONG is for sums of many thousand
     * terms, whose rounding errors grow as the square root of their number. */
    double tolerance;
    double input_size;                 /* the harness draws values up to this size; 0: of any size */
    uint64_t (*side)(const fv_ref *r); /* of a function with kinks: a hash of the smooth piece that each
                                        * element of its inputs is on; NULL: it is smooth everywhere */
    fv_status (*lower)(struct fv_lower *l);
    /* A plan of one image stores 16 of its channels, not 16 images, in a vector (the layout c16). Set
     * `by_channel` if the operation treats channels independently: `lower` then works unchanged, with a
     * bundle of 16 channels in place of a block. Otherwise set `lower_c16`, and `fits_c16` if it cannot
     * handle some shapes (NULL: it handles all). With neither, or for a shape that does not fit, the image
     * is in lane 0 of 16. */
    bool by_channel;
    fv_status (*lower_c16)(struct fv_lower *l);
    bool (*fits_c16)(const void *attrs, const fv_shape *in, fv_shape out);
    fv_cost (*cost)(const void *attrs, const fv_shape *in, fv_shape out);
    const fv_case *cases;
    int n_cases;
    const fv_layer_kind *layers; /* its words in the model text */
    int n_layers;
} fv_op;

#define FV_TOLERANCE      2e-6
#define FV_TOLERANCE_LONG 2e-5

static inline const char *fv__op_family(const fv_op *op)
{
    return op->family ? op->family : op->name;
}

/* The role of input i; in a variadic operation the last role holds for all further inputs. */
static inline fv_role fv__op_role(const fv_op *op, int i)
{
    return op->role[i < op->n_inputs ? i : op->n_inputs - 1];
}

/* Whether n is a valid number of inputs. */
static inline bool fv__op_takes(const fv_op *op, int n)
{
    return n >= op->n_inputs - op->n_optional && n <= (op->variadic ? FV_MAX_INPUTS : op->n_inputs);
}

/* NULL: not found. */
const fv_op *fv__op_find(const char *name);
const fv_op *fv__op_at(int index); /* NULL past the last */

/* The layer words, in the order of ops.def. */
const fv_layer_kind *fv__layer_kind_find(const char *word);
const fv_layer_kind *fv__layer_kind_at(int index); /* NULL past the last */

/* The content of a target of shape `target` for values of shape `values`. A loss that compares values also
 * accepts a class number, which stands for 1 at that index and 0 elsewhere. */
fv_target fv__op_target(const fv_op *op, fv_shape values, fv_shape target);

/* Fills `attrs` (op->attr_bytes) with the initial values. */
void fv__attrs_default(const fv_op *op, void *attrs);
/* Sets one attribute from "word=value"; messages begin with `what`. */
fv_status fv__attrs_set(fv_context *ctx, const fv_op *op, void *attrs, const char *word, const char *value,
                        const char *what);
/* The numbers for `n` directions. FV_ERR_INPUT if there are not 1 or n of them: "WHAT: WORD: expected ...".
 */
fv_status fv__sizes_spread(fv_context *ctx, const fv_sizes *sizes, int n, const char *word, const char *what,
                           int out[FV_DIRECTIONS]);
/* The dimensions of a shape from `first` on. */
fv_sizes fv__sizes_of(fv_shape shape, int first);

#endif
