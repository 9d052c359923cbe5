/* kernel.h - how the plan calls a kernel, and the table of kernels per instruction set.
 *
 * A per-image buffer is [block][...][16]: a vector holds the same quantity of 16 different images. A kernel
 * is called on a few consecutive blocks (FV_PER_BLOCK), or once per range of units over the whole batch
 * (FV_PER_RANGE). It never allocates, never fails, and knows neither graph nor ops. */
#ifndef FV_KERNELS_KERNEL_H
#define FV_KERNELS_KERNEL_H

#include "tensor/shape.h"

#define FV_MAX_OPERANDS 8

/* The data of a feed in one run. The address of image i is each[i]; if `each` is NULL, it is `step` bytes
 * behind image i - 1, and `first` is that of image 0. An image has the length of the feed's tensor, without
 * padding. */
typedef struct fv_given {
    fv_element element;
    float scale; /* FV_U8: a byte is multiplied by it; FV_SCALE_PIXELS: divided by 255, correctly rounded */
    const void *const *each;
    const void *first;
    size_t step;
} fv_given;

/* The data of one run of a plan. Arrays have n entries, one per image. */
typedef struct fv_batch {
    int n;                   /* images, at most the plan's batch */
    const fv_given *feed;    /* [graph's n_feeds]; those that no step reads may have any content */
    const uint32_t *samples; /* number of each image in its data set, the counter of random draws;
                              * NULL: 0.. */
    uint64_t seed;           /* of draws: dropout, shifts */
    uint32_t step;           /* number of the update: for dropout */
    uint32_t epoch;          /* number of the epoch: for shifts */
    float image_weight;      /* 1 / images of the whole update (several runs may share one) */
    bool accumulate;         /* gradients are added to those of earlier runs of the same update */
} fv_batch;

typedef struct fv_call {
    const void *args;                /* the kernel's own struct, kernels/args.h */
    float *p[FV_MAX_OPERANDS];       /* per image: the first block of this call; otherwise the whole buffer */
    int64_t stride[FV_MAX_OPERANDS]; /* floats from one block to the next; per shard for sharded operands */
    int first_block, n_blocks;       /* FV_PER_RANGE: 0 and all blocks of the batch */
    int blocks_per_shard;
    bool by_units; /* FV_PER_RANGE: the call covers the units [begin, end) of all blocks; otherwise blocks */
    int64_t begin, end;
    float *scratch; /* the worker's, of the size that the step asked for */
    const fv_batch *batch;
    bool relu; /* outputs below 0 become 0 */
} fv_call;

typedef void (*fv_kernel_fn)(const fv_call *call);

typedef enum fv_kernel_id {
#define FV_KERNEL(name, args, can) FV_KERNEL_##name,
#include "kernels/kernels.def"
#undef FV_KERNEL
    FV_N_KERNELS
} fv_kernel_id;

typedef struct fv_kernels {
    fv_isa isa;
    fv_kernel_fn run[FV_N_KERNELS];
    bool (*all_finite)(const float *values, int64_t n);
    double (*peak)(int64_t rounds); /* a loop of fma alone; returns its flops, for fovea bench */
} fv_kernels;

/* Epilogues that a kernel can do to its outputs before it stores them. */
enum {
    FV_CAN_RELU = 1,   /* call->relu: outputs below 0 become 0 */
    FV_CAN_ADD = 2,    /* its last operand, which may be absent, is added; before ReLU */
    FV_CAN_FINISH = 4, /* all of fv_finish_args: normalise, add, ReLU */
};

/* A row of kernels.def. */
typedef struct fv_kernel_row {
    const char *name;
    size_t args_bytes; /* of the struct that its args point to */
    unsigned can;      /* FV_CAN_... */
} fv_kernel_row;

const fv_kernel_row *fv__kernel_row(fv_kernel_id id);
const char *fv__kernel_name(fv_kernel_id id);
/* Never fails for an ISA of this machine, because fv__isa_choose refuses all others. NULL if the build has
 * no such kernels. */
const fv_kernels *fv__kernels(fv_isa isa);

/* The address of the sharded sum of `block`, and whether the block is the first of its shard (it then
 * writes instead of adding). */
static inline float *fv__shard(const fv_call *call, int operand, int block, bool *first)
{
    *first = block % call->blocks_per_shard == 0;
    return call->p[operand] + (int64_t)(block / call->blocks_per_shard) * call->stride[operand];
}

/* The address of image i of a feed. */
static inline const void *fv__given_at(const fv_given *given, int i)
{
    return given->each ? given->each[i] : (const char *)given->first + (size_t)i * given->step;
}

/* The same from image i on. */
static inline fv_given fv__given_from(const fv_given *given, int i)
{
    fv_given from = *given;
    from.each = given->each ? given->each + i : NULL;
    from.first = given->first ? (const char *)given->first + (size_t)i * given->step : NULL;
    return from;
}

/* The counter of image i's random draws. */
static inline uint32_t fv__sample(const fv_batch *batch, int i)
{
    return batch->samples ? batch->samples[i] : (uint32_t)i;
}

/* Images of `block`: 16, or fewer in the last one. */
static inline int fv__lanes(const fv_call *call, int block)
{
    const int left = call->batch->n - block * FV_LANES;
    return left < FV_LANES ? left : FV_LANES;
}

#endif
