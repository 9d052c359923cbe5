/* lower.h - how an operation describes its steps to the plan: which kernels run on which buffers, over what.
 *
 * An op's `lower` calls fv__lower_step once per kernel. Operands are buffer numbers: the node's tensors
 * (l->in[i], l->out) or temporaries made with fv__lower_buffer. */
#ifndef FV_PLAN_LOWER_H
#define FV_PLAN_LOWER_H

#include "kernels/args.h"
#include "kernels/kernel.h"

typedef enum fv_domain {
    FV_PER_BLOCK, /* independent per block of 16 images; may run depth first with its neighbours */
    FV_PER_RANGE, /* over the whole batch, parallel over ranges of units */
    FV_PER_BUNDLE /* a kernel of FV_PER_BLOCK whose blocks are the bundles of one image; units are bundles */
} fv_domain;

typedef enum fv_scope {
    FV_SCOPE_IMAGE, /* floats per image; the buffer is [block][floats][16] */
    FV_SCOPE_SHARD, /* floats per shard: partial sums over the blocks of a shard */
    FV_SCOPE_BATCH, /* one buffer of `floats` floats for the whole batch */
    FV_SCOPE_ROWS,  /* floats per image, plain: [image][floats] */
    FV_SCOPE_C16    /* of one image: floats per bundle of 16 channels, [bundle][pixels][16] */
} fv_scope;

typedef enum fv_access { FV_READ, FV_WRITE, FV_UPDATE } fv_access;

typedef struct fv_step_spec {
    fv_kernel_id kernel;
    fv_domain domain;
    const void *args; /* made by fv__lower_args, of the type that the kernel's row names */
    int n_operands;
    int operand[FV_MAX_OPERANDS];
    fv_access access[FV_MAX_OPERANDS];
    int64_t units, grain;   /* FV_PER_RANGE: the number of units, and the most units of one task */
    size_t scratch_floats;  /* per worker; every call may overwrite it */
    int64_t checked_floats; /* FV_PER_RANGE: operand 0 is a gradient with this many floats per unit, which
                             * is searched for NaN and infinity */
    int64_t checked_rows;   /* the gradient is [checked_rows][units][checked_floats]; 0: one row */
    bool relu;              /* outputs below 0 become 0; set where the plan has fused a ReLU (fuse.c) */
    bool of_images;         /* FV_PER_RANGE: its operands depend on the images of the batch */
    const char *way;        /* of a convolution: the name of its algorithm; set by fv__lower_step */
    double flops, bytes;    /* per image (FV_PER_BLOCK) or per whole batch (FV_PER_RANGE) */
} fv_step_spec;

/* The epilogue of a step, in this order (fuse.c). */
typedef struct fv_fused {
    bool affine;  /* batch normalisation by the running statistics ... */
    int norm[4];  /* ... tensors: mean, variance, gamma, beta */
    int residual; /* the tensor that is added; -1: none */
    bool relu;
} fv_fused;

#define FV_LOWER_INPUTS 32 /* FV_MAX_INPUTS of graph/graph.h */

/* The most args that the lowering of one node may have made and not yet used in a step. */
#define FV_LOWER_ARGS 8

typedef struct fv_lower {
    fv_context *ctx;
    fv_arena *arena;
    const fv_blocks *blocks; /* block sizes: the order of a sum must not depend on them */
    const struct fv_op *op;  /* NULL: a step of no node */
    const void *attrs;
    int n_inputs;
    int in[FV_LOWER_INPUTS], out;
    fv_shape in_shape[FV_LOWER_INPUTS], out_shape;
    int node;        /* number of the node; -1: none */
    int counter;     /* counter of the node's random draws */
    int max_batch;   /* the largest batch of the plan */
    bool direct;     /* no Winograd */
    const char *way; /* the algorithm that convolutions must use; NULL: the first of their list that pays */
    const char *chosen; /* the algorithm of the steps that follow; NULL: the operation has only one */
    int n_workers;      /* only the partition of work into tasks may depend on it */
    /* The epilogue fused behind the node; NULL: none. fv__lower_step adds ReLU and a residual to the step
     * that writes l->out. The operation itself passes an epilogue to a kernel with FV_CAN_FINISH, in its
     * args. */
    const fv_fused *fused;
    bool finished; /* a step performs the fused epilogue */
    struct fv_plan *plan;
    fv_status status; /* of the calls of fv__lower_int so far */
    struct {
        const void *args;
        size_t bytes;
    } made[FV_LOWER_ARGS]; /* the latest results of fv__lower_args, for fv__lower_step to check */
    int n_made;
} fv_lower;

/* Appends a step. It returns FV_ERR_MEMORY if spec->args is NULL, so that callers need not check the result
 * of fv__lower_args, and FV_ERR_INTERNAL if the args do not have the size that the kernel's row states. */
fv_status fv__lower_step(fv_lower *l, const fv_step_spec *spec);
fv_status fv__lower_buffer(fv_lower *l, fv_scope scope, int64_t floats, int *out);
/* For a plan of one image: a buffer of `shape` in c16; and the steps that `lower` adds for one channel, run
 * for the bundles of all channels of l->out_shape, which take the place of the blocks. */
fv_status fv__lower_bundles(fv_lower *l, fv_shape shape, int *out);
fv_status fv__lower_by_bundle(fv_lower *l, fv_status (*lower)(fv_lower *l, const void *data),
                              const void *data);
/* `value` as an int, the type in which kernels count. Shape rules bound everything that does not depend on
 * the batch or the block sizes; the rest is checked here. If `value` does not fit, the function returns 1,
 * and the next fv__lower_step fails with FV_ERR_INPUT and a message that names the layer, `what`, and the
 * value found. */
int fv__lower_int(fv_lower *l, int64_t value, const char *what);
/* A copy of `args` in the plan's arena; NULL on failure. */
void *fv__lower_args(fv_lower *l, const void *args, size_t bytes);

/* n multiples of `step`, from 0 on: the offsets of a tile's terms. NULL on failure. */
const int32_t *fv__lower_offsets(fv_lower *l, int64_t n, int step);

/* The common case: one per-block kernel whose operands are the output and then the inputs. */
fv_status fv__lower_simple(fv_lower *l, fv_kernel_id kernel, const void *args, size_t args_bytes);
/* Blocks of the largest batch. */
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
/* A gradient that is a sum over images: a per-block kernel adds to shards (operand 0; its inputs follow),
 * and a tree adds the shards. Scratch, flops and bytes are the kernel's. */
fv_status fv__lower_sharded(fv_lower *l, fv_kernel_id kernel, const void *args, size_t args_bytes,
                            size_t scratch_floats, double flops, double bytes);
/* The node's output, a gradient, from the buffer `from` alone, by a step over a range. `spec` gives the
 * kernel, units, grain, checked_floats and costs. */
fv_status fv__lower_gradient(fv_lower *l, const void *args, size_t args_bytes, int from, fv_step_spec spec);
/* The node's output as the sum of its shards in the buffer `shards`, or of `slices` slices if slices > 0. */
fv_status fv__lower_shard_sum(fv_lower *l, int shards, int slices);

#endif
