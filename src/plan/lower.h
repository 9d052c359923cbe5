/* lower.h - what an operation says to the plan: which kernels, on which buffers, over what.
 *
 * An op's `lower` calls fv__lower_step once per kernel. Operands are buffer numbers: the node's tensors
 * (l->in[i], l->out) or temporaries made with fv__lower_buffer. */
#ifndef FV_PLAN_LOWER_H
#define FV_PLAN_LOWER_H

#include "kernels/args.h"
#include "kernels/kernel.h"

typedef enum fv_domain {
    FV_PER_BLOCK, /* independent per block of 16 images: may run depth first with its neighbours */
    FV_PER_RANGE, /* over the whole batch, parallel over ranges of units */
    FV_PER_BUNDLE /* as FV_PER_BLOCK's kernels, with bundles of one image for blocks; units are bundles */
} fv_domain;

typedef enum fv_scope {
    FV_SCOPE_IMAGE, /* floats per image; the buffer is [block][floats][16] */
    FV_SCOPE_SHARD, /* floats per shard: partial sums over the blocks of a shard */
    FV_SCOPE_BATCH, /* one buffer of so many floats for the whole batch */
    FV_SCOPE_ROWS,  /* floats per image, plain: [image][floats] */
    FV_SCOPE_C16    /* of one image: floats per bundle of 16 channels, [bundle][pixels][16] */
} fv_scope;

typedef enum fv_access { FV_READ, FV_WRITE, FV_UPDATE } fv_access;

typedef struct fv_step_spec {
    fv_kernel_id kernel;
    fv_domain domain;
    const void *args; /* made by fv__lower_args, of the type that stands in the kernel's row */
    int n_operands;
    int operand[FV_MAX_OPERANDS];
    fv_access access[FV_MAX_OPERANDS];
    int64_t units, grain;   /* FV_PER_RANGE: so many units, at most `grain` of them a task */
    size_t scratch_floats;  /* per worker: a call uses it for block after block */
    int64_t checked_floats; /* FV_PER_RANGE: operand 0 is a gradient, this many floats a unit: it is
                             * searched for NaN and infinity */
    bool relu;              /* outputs below 0 become 0; set where the plan has fused a ReLU (fuse.c) */
    bool of_images;         /* FV_PER_RANGE: it reads what comes with the images, directly or not */
    const char *way;        /* of a convolution: which of its list it is; set by fv__lower_step */
    double flops, bytes;    /* per image (FV_PER_BLOCK) or per whole batch (FV_PER_RANGE) */
} fv_step_spec;

/* What a step does to its outputs before it stores them, in this order (fuse.c). */
typedef struct fv_fused {
    bool affine;  /* batch normalisation by the running statistics ... */
    int norm[4];  /* ... mean and variance, and gamma and beta */
    int residual; /* this is added; -1: nothing */
    bool relu;
} fv_fused;

#define FV_LOWER_INPUTS 32 /* FV_MAX_INPUTS of graph/graph.h */

/* Args that one node's lowering may have made and not yet used in a step. */
#define FV_LOWER_ARGS 8

typedef struct fv_lower {
    fv_context *ctx;
    fv_arena *arena;
    const fv_blocks *blocks; /* block sizes: only where and when may depend on them */
    const void *attrs;
    int n_inputs;
    int in[FV_LOWER_INPUTS], out;
    fv_shape in_shape[FV_LOWER_INPUTS], out_shape;
    int node;           /* number of the node; -1: none */
    int counter;        /* what the node's draws are counted by */
    int max_batch;      /* images the plan is made for */
    bool direct;        /* plain sums only: no Winograd */
    const char *way;    /* the way that convolutions are to take; NULL: the first of their list that pays */
    const char *chosen; /* the way of the steps that follow; NULL: there is but one */
    int n_workers;      /* only how work is cut into tasks may depend on it */
    /* What is fused behind the node; NULL: nothing. fv__lower_step adds ReLU and a residual to the step that
     * writes l->out; only a kernel with FV_CAN_FINISH is told by the operation, in its args. */
    const fv_fused *fused;
    bool finished; /* a step does what is fused */
    struct fv_plan *plan;
    fv_status status; /* of fv__lower_int so far */
    struct {
        const void *args;
        size_t bytes;
    } made[FV_LOWER_ARGS]; /* the last args that fv__lower_args has made, for fv__lower_step to check */
    int n_made;
} fv_lower;

/* Appends a step. FV_ERR_MEMORY where spec->args is NULL, so that callers need not look at what
 * fv__lower_args returns; FV_ERR_INTERNAL where it is not of the size that the kernel's row says. */
fv_status fv__lower_step(fv_lower *l, const fv_step_spec *spec);
fv_status fv__lower_buffer(fv_lower *l, fv_scope scope, int64_t floats, int *out);
/* Of a plan of one image, in c16: a buffer of `shape`; and what `lower` makes of one channel, done for the
 * bundles of all channels of l->out_shape in the place of blocks. */
fv_status fv__lower_bundles(fv_lower *l, fv_shape shape, int *out);
fv_status fv__lower_by_bundle(fv_lower *l, fv_status (*lower)(fv_lower *l, const void *data),
                              const void *data);
/* `value` as an int, which is what kernels count in. Where it is none (shape rules bound what can be said
 * without the batch and the block sizes; the rest is found here), it returns 1 and the node has no steps:
 * fv__lower_step fails with FV_ERR_INPUT and says of which layer, what was expected of `what`, and found. */
int fv__lower_int(fv_lower *l, int64_t value, const char *what);
/* A copy of `args` in the plan's arena; NULL on failure. */
void *fv__lower_args(fv_lower *l, const void *args, size_t bytes);

/* The common case: one per-block kernel, inputs as read operands after the output (operand 0). */
fv_status fv__lower_simple(fv_lower *l, fv_kernel_id kernel, const void *args, size_t args_bytes);
/* Blocks of a whole batch. */
static inline int fv__lower_blocks(const fv_lower *l)
{
    return (l->max_batch + FV_LANES - 1) / FV_LANES;
}

/* a / b, rounded up; at most INT32_MAX. */
static inline int fv__ceil_div(int64_t a, int64_t b)
{
    const int64_t n = (a + b - 1) / b;
    return n < INT32_MAX ? (int)n : INT32_MAX;
}

/* True if there are fewer blocks than workers and the operation, of `flops` an image, is heavy enough to be
 * worth splitting. Its step then runs once over all blocks and is parallel over `units` (rows, channels or
 * tiles) instead of blocks; its kernel must know such calls: call->by_units. */
bool fv__lower_splits(const fv_lower *l, double flops);
void fv__lower_split(const fv_lower *l, double flops, int64_t units, int64_t grain, fv_step_spec *spec);
/* A gradient that is a sum over images: a per-block kernel adds to shards (operand 0, inputs behind it), and
 * the shards add up by their tree. Scratch, flops and bytes are the kernel's. */
fv_status fv__lower_sharded(fv_lower *l, fv_kernel_id kernel, const void *args, size_t args_bytes,
                            size_t scratch_floats, double flops, double bytes);
/* The node's output, a gradient, from the buffer `from` alone, by a step over a range. Of `spec` the kernel,
 * units, grain, checked_floats and costs are said. */
fv_status fv__lower_gradient(fv_lower *l, const void *args, size_t args_bytes, int from, fv_step_spec spec);
/* The node's output as the sum of its shards in the buffer `shards`, or of so many slices if slices > 0. */
fv_status fv__lower_shard_sum(fv_lower *l, int shards, int slices);

#endif
