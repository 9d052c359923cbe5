/* op_harness.h - runs one operation on given inputs: by its reference, by a plan, or kernel by kernel with a
 * guard page behind every operand. */
#ifndef FV_TESTS_OP_HARNESS_H
#define FV_TESTS_OP_HARNESS_H

#include "base/context.h"
#include "ops/ops.h"

/* One operation on one set of inputs. Values are plain: [n][...] per image, else as the tensor is. */
typedef struct op_call {
    const fv_op *op;
    const char *words;             /* attributes, as in the model text */
    const char *way;               /* of a convolution; NULL: the plan's choice */
    int n;                         /* images */
    fv_shape shape[FV_MAX_INPUTS]; /* rank 0: absent */
    double *value[FV_MAX_INPUTS];
    fv_shape out_shape; /* set by op_call_check */
    int64_t n_out;      /* all values of the output, or of the changed inputs, likewise */
    char what[256];     /* for messages */
} op_call;

/* How inputs are drawn. Smooth: values of one image differ by more than 1e-3 and are that far from 0, so
 * central differences meet no kink and no tie. Coarse: multiples of 1/2, full of ties and zeros. */
typedef enum op_draw { OP_SMOOTH, OP_COARSE } op_draw;

/* The operation's case `index`, with its own batch or at most `max_batch` images. */
void op_call_case(op_call *call, const fv_op *op, int index, int max_batch, op_draw draw);
void op_call_free(op_call *call);
/* Infers the shape; fails the test where the case does not fit. */
void op_call_check(op_call *call);
bool op_output_is_per_image(const fv_op *op);
int op_n_inputs(const op_call *call);
/* Whether it is what a loss is compared with: no gradient flows there. */
bool op_is_target(const fv_op *op, int input);

/* The operation alone in a graph, its inputs free tensors. */
typedef struct op_graph {
    fv_graph graph;
    int input[FV_MAX_INPUTS];
    int output;
} op_graph;
void op_graph_build(op_graph *g, const op_call *call, fv_context *ctx);

/* A context for the ISA, or NULL where this machine or this build lacks it (said once). */
fv_context *op_context(const char *isa, int n_threads);

/* Each returns n_out values, to be released with free. Of an operation that changes what it reads, they are
 * the inputs that it changes, one after the other, as it leaves them. */
double *op_by_reference(const op_call *call);
/* NULL: call->way cannot do the shape, which the message says. */
float *op_by_plan(const op_call *call, fv_context *ctx);
/* Kernel by kernel, `group` blocks a call, each operand in a guarded block of its own, ranges cut in three.
 * `over`: the output stands in the memory of input over - 1; 0: in its own. Lanes past the last image must
 * stay finite, and 0 for losses and their gradients. */
float *op_by_kernels(const op_call *call, fv_context *ctx, int group, int over);

/* Compares all gradients of the case with central differences of the reference. Fails the test. */
void op_check_gradient(const fv_op *op, int index);

#endif
