/* plan.h - how a graph is computed: steps with fixed addresses. A plan is immutable and can be shared.
 *
 * Phases. Steps that depend on each other only through the same block of images form one phase: a worker
 * takes a few neighbouring blocks through all per-block steps while they are in its cache. A step over the
 * whole batch (FV_PER_RANGE) needs every block, so it runs in a later phase. A barrier separates two phases;
 * within a phase all tasks are independent.
 *
 * Memory, in floats, every buffer on a 64-byte line:
 *
 *   shared    | kept values, gradients, rows, shard sums ...            |   one per run
 * local     | values of one phase | scratch                           |   one per worker
 *
 * Sums over blocks go through FV_SHARDS shards of neighbouring blocks, which a fixed tree adds. The order
 * of the terms depends on the batch size alone, never on the threads. */
#ifndef FV_PLAN_PLAN_H
#define FV_PLAN_PLAN_H

#include "graph/graph.h"
#include "plan/lower.h"

#define FV_SHARDS 8

typedef struct fv_plan_options {
    int batch;     /* the most images of one run */
    int n_workers; /* only the grouping of blocks into tasks depends on it */
    /* What is wanted. The plan omits nodes that no wanted node depends on. Gradients are always wanted. */
    bool output, loss;
    const fv_blocks *blocks; /* NULL: the context's */
    bool updates;            /* update nodes are wanted */
    bool direct;             /* no Winograd in convolutions */
    const char
        *way; /* tests: the algorithm of all convolutions, by name; it is an error if it cannot do a shape */
    bool unfused;  /* no fusion: every node has steps of its own */
    bool keep;     /* the backward pass recomputes nothing */
    bool c16;      /* for inference of one image (batch 1): 16 of its channels in a vector instead of 16
                    * images, where the operations allow it */
    bool frozen;   /* packed parameters are kept from run to run; see fv__run_refresh */
    bool keep_all; /* every node but updates, and no buffer shares memory with another, so that tests and
                    * checks can read every tensor */
} fv_plan_options;

typedef enum fv_place {
    FV_PLACE_NONE,     /* not used by any step */
    FV_PLACE_EXTERNAL, /* bound by the run's owner: parameters, statistics, states */
    FV_PLACE_SHARED,
    FV_PLACE_LOCAL
} fv_place;

typedef struct fv_buffer {
    const char *name;
    int tensor; /* the tensor of the graph that it holds; -1: none */
    fv_scope scope;
    int64_t floats; /* per image, shard, batch, row or bundle, by scope */
    int bundles;    /* FV_SCOPE_C16: the number of bundles */
    int alias;      /* the buffer whose memory it shares (views, in place); itself if none */
    int remade;     /* the buffer of which it holds a recomputed copy (remake.c); -1: none */
    fv_place place;
    int first, last; /* its live range; first -1: before all steps, last n_steps: after all steps */
    int64_t offset;  /* floats from the start of its arena */
    int64_t stride;  /* floats from one block (or shard) to the next */
} fv_buffer;

/* Whether it holds values of every image, block after block. */
static inline bool fv__buffer_by_block(const fv_buffer *b)
{
    return b->scope == FV_SCOPE_IMAGE || b->scope == FV_SCOPE_ROWS;
}

/* Stages follow each other; within a stage, reads and writes order the steps. */
typedef enum fv_stage {
    FV_STAGE_PREPARE, /* needs no images: packs parameters                                            */
    FV_STAGE_COMPUTE,
    FV_STAGE_UPDATE, /* changes parameters and states, once all gradients are known to be finite */
    FV_N_STAGES
} fv_stage;

typedef struct fv_step {
    fv_step_spec spec;
    const fv_node *node; /* the node that it computes; NULL: a step of the plan itself (gather) */
    unsigned over;       /* bit k: operand 0 may be written over operand k */
    fv_stage stage;
    int phase;
} fv_step;

typedef struct fv_phase {
    int first_step, n_steps; /* in steps[]: sorted by phase, per-block steps first */
    int n_block_steps;
    int group;            /* blocks that a worker takes through the phase together */
    int blocks_per_task;  /* a multiple of the blocks of a shard, if sums are sharded */
    int64_t local_floats; /* of the values of one block that are local to this phase */
    bool is_update;       /* changes parameters, and runs after the search for non-finite gradients */
} fv_phase;

/* How a node of the graph is computed. */
typedef struct fv_node_plan {
    bool wanted;    /* a wanted output depends on it */
    bool c16;       /* its output is in c16 */
    int first;      /* the node whose steps compute it: itself, unless it is fused */
    int last;       /* of a first node: the node whose output the steps write; itself, if nothing is fused */
    fv_fused fused; /* of a first node: the epilogue of its steps; norm and residual are tensors */
} fv_node_plan;

typedef struct fv_plan {
    fv_context *ctx;
    fv_arena arena;
    const fv_kernels *kernels;
    const fv_blocks *blocks;
    fv_plan_options options;
    const fv_graph *graph; /* the plan's own copy */
    int max_blocks, blocks_per_shard;
    fv_buffer *buffers;
    size_t n_buffers, buffer_capacity;
    fv_step *steps;
    size_t n_steps, step_capacity;
    fv_phase *phases;
    int n_phases, n_prepared; /* the first n_prepared phases read no images */
    int *in_c16;              /* [tensor]: its buffer in c16; -1: none; NULL: the plan does not use c16 */
    bool *in_lanes;           /* [tensor] in c16: whether a copy in lanes exists too */
    fv_node_plan *nodes;      /* [node] */
    bool feed_wanted[FV_MAX_FEEDS];
    int64_t shared_floats, local_floats, scratch_floats;
} fv_plan;

/* The buffer that owns the memory of `buffer`. */
static inline int fv__plan_root(const fv_plan *plan, int buffer)
{
    while (plan->buffers[buffer].alias != buffer)
        buffer = plan->buffers[buffer].alias;
    return buffer;
}

/* What the memory is used for, in floats. `activations`: values of images, their gradients and im2col
 * copies that are alive at once in phase `peak`, for the whole batch. `work`: the rest of the memory that a
 * run shares, most of it packed weights. Each worker has its local values and scratch besides. */
typedef struct fv_plan_memory {
    int64_t parameters, gradients, states;
    int64_t activations, work, worker;
    int peak;
} fv_plan_memory;
fv_status fv__plan_memory(const fv_plan *plan, fv_plan_memory *out);

/* The graph is copied. Shapes are valid in any graph, so creation fails only on memory, on a batch outside
 * of 1 to FV_MAX_BATCH, and on an operation whose counts exceed an int with these block sizes and this
 * batch. */
fv_status fv__plan_create(fv_context *ctx, const fv_graph *graph, const fv_plan_options *options,
                          fv_plan **out);
void fv__plan_destroy(fv_plan *plan);
fv_status fv__plan_print(const fv_plan *plan, fv_text *text);

/* Appends to `graph` the gradients of its loss with respect to every parameter; each image is weighted by
 * batch.image_weight. gradient[t] is the tensor of parameter t's gradient and -1 for other tensors. The
 * array has as many entries as there were tensors before the call, and is in the graph's arena. */
fv_status fv__differentiate(fv_graph *graph, const int **gradient);
/* Appends one update node per parameter, and two nodes per batch normalisation for its running statistics.
 * State tensors are named "NAME.STATE", such as "c1.weight.momentum", if that name is free; the settings
 * are named "OPTIMIZER.settings". */
struct fv_optimizer; /* ops/optimizer.h */
fv_status fv__append_updates(fv_graph *graph, const int *gradient, const struct fv_optimizer *optimizer);

#endif
