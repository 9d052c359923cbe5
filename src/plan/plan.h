/* plan.h - how a graph is computed: steps with fixed addresses. Immutable once made, and shareable.
 *
 * Phases. Steps that depend on each other only through the same block of images form one phase: a worker
 * takes a few neighbouring blocks through all its per-block steps while they are warm in its cache. A step
 * over the whole batch (FV_PER_RANGE) needs every block, so it stands in a later phase. Between phases is a
 * barrier; within a phase all tasks are independent.
 *
 * Memory, in floats, every buffer on a 64-byte line:
 *
 *   shared    | kept values, gradients, rows, shard sums ...            |   one per run
 *   local     | values that live and die within one phase | scratch    |   one per worker
 *
 * Sums over blocks go through FV_SHARDS shards of neighbouring blocks, added by a fixed tree: the order of
 * the terms depends on the size of the batch alone, never on the threads. */
#ifndef FV_PLAN_PLAN_H
#define FV_PLAN_PLAN_H

#include "graph/graph.h"
#include "plan/lower.h"

#define FV_SHARDS 8

typedef struct fv_plan_options {
    int batch;     /* images of one run, at most */
    int n_workers; /* only how blocks are grouped into tasks depends on it */
    /* What is wanted: nodes that nothing wanted depends on stay out of the plan. Gradients always are. */
    bool output, loss;
    const fv_blocks *blocks; /* NULL: the context's */
    bool updates;            /* the update nodes */
    bool direct;             /* convolutions by their plain sums: no Winograd */
    const char *way; /* tests: the way of all convolutions, by name; one that cannot do a shape is refused */
    bool unfused;    /* every node in steps of its own */
    bool keep;       /* what the way back reads is kept from the way forward, nothing is made again */
    bool c16;        /* for inference of one image (batch 1): its channels side by side instead of 16 images,
                      * as far as the operations can */
    bool frozen;     /* what is prepared from parameters is kept from run to run; see fv__run_refresh */
    bool keep_all;   /* every node but updates, and no buffer shares memory with another: tests and checks
                      * can read every tensor */
} fv_plan_options;

typedef enum fv_place {
    FV_PLACE_NONE,     /* not used by any step */
    FV_PLACE_EXTERNAL, /* bound by the run's owner: parameters, statistics, states */
    FV_PLACE_SHARED,
    FV_PLACE_LOCAL
} fv_place;

typedef struct fv_buffer {
    const char *name;
    int tensor; /* of the graph, that it holds; -1: none */
    fv_scope scope;
    int64_t floats; /* per image, shard, batch, row or bundle, by scope */
    int bundles;    /* FV_SCOPE_C16: how many */
    int alias;      /* the buffer whose memory it shares (views, in place); itself if none */
    int remade;     /* the buffer whose value it holds once more (remake.c); -1: none */
    fv_place place;
    int first, last; /* steps between which it lives; first -1: before all, last n_steps: after all */
    int64_t offset;  /* floats from the start of its arena */
    int64_t stride;  /* floats from a block (or shard) to the next */
} fv_buffer;

/* Stages follow each other; within one, steps are ordered by what they read and write. */
typedef enum fv_stage {
    FV_STAGE_PREPARE, /* needs no images: packs parameters                                            */
    FV_STAGE_COMPUTE,
    FV_STAGE_UPDATE, /* changes parameters and states, once all gradients are known to be finite */
    FV_N_STAGES
} fv_stage;

typedef struct fv_step {
    fv_step_spec spec;
    const fv_node *node; /* that it came from; NULL: the plan's own (gather) */
    unsigned over;       /* bit k: operand 0 may be written over operand k */
    fv_stage stage;
    int phase;
} fv_step;

typedef struct fv_phase {
    int first_step, n_steps; /* in steps[]: sorted by phase, per-block steps first */
    int n_block_steps;
    int group;            /* blocks a worker takes through at once */
    int blocks_per_task;  /* whole shards, where sums are sharded */
    int64_t local_floats; /* of one block's values that live and die in this phase */
    bool is_update;       /* changes parameters: only after the search for non-finite gradients */
} fv_phase;

/* How a node of the graph is computed. */
typedef struct fv_node_plan {
    bool wanted; /* something that is asked for depends on it */
    bool c16;    /* its output is in c16 */
    int first;   /* the node whose steps compute it; itself, unless it was fused */
    int last;    /* of the first: the node whose output the steps write; itself, if nothing was fused */
    fv_fused
        fused; /* of the first: what its steps do for the nodes behind it; norm and residual are tensors */
} fv_node_plan;

typedef struct fv_plan {
    fv_context *ctx;
    fv_arena arena;
    const fv_kernels *kernels;
    const fv_blocks *blocks;
    fv_plan_options options;
    const fv_graph *graph; /* a copy of its own */
    int max_blocks, blocks_per_shard;
    fv_buffer *buffers;
    size_t n_buffers, buffer_capacity;
    fv_step *steps;
    size_t n_steps, step_capacity;
    fv_phase *phases;
    int n_phases, n_prepared; /* the first n_prepared phases need no images */
    int *in_c16;         /* [tensor]: the buffer that holds it so, -1: none; NULL: not a plan of one image */
    bool *in_lanes;      /* [tensor] in c16: whether it is in lanes too */
    fv_node_plan *nodes; /* [node] */
    bool feed_wanted[FV_MAX_FEEDS];
    int64_t shared_floats, local_floats, scratch_floats;
} fv_plan;

/* The buffer whose memory `buffer` shares. */
static inline int fv__plan_root(const fv_plan *plan, int buffer)
{
    while (plan->buffers[buffer].alias != buffer)
        buffer = plan->buffers[buffer].alias;
    return buffer;
}

/* What memory is needed for, in floats. `activations`: values of images, their gradients and what is staged
 * of them, as many as are there at once, in phase `peak`, for the whole batch. `work`: the rest of what a run
 * shares, packed weights above all. A worker has blocks at hand and scratch of its own. */
typedef struct fv_plan_memory {
    int64_t parameters, gradients, states;
    int64_t activations, work, worker;
    int peak;
} fv_plan_memory;
fv_status fv__plan_memory(const fv_plan *plan, fv_plan_memory *out);

/* The graph is copied. Shapes were settled when it was built, so it fails on memory; on a batch that is not
 * in 1 to FV_MAX_BATCH; and on an operation of which block sizes and batch make more than kernels count.
 */
fv_status fv__plan_create(fv_context *ctx, const fv_graph *graph, const fv_plan_options *options,
                          fv_plan **out);
void fv__plan_destroy(fv_plan *plan);
fv_status fv__plan_print(const fv_plan *plan, fv_text *text);

/* Appends to `graph` the gradients of its loss (each image weighing batch.image_weight) with respect to every
 * parameter. gradient[t] is the tensor of parameter t's gradient, -1 for others; n_tensors entries as
 * before the call, in the graph's arena. */
fv_status fv__differentiate(fv_graph *graph, const int **gradient);
/* Appends one update node per parameter. State tensors are named "NAME.STATE", as "c1.weight.momentum", where
 * that name is free; the settings "OPTIMIZER.settings". And two nodes per batch normalisation, for its
 * running statistics. */
struct fv_optimizer; /* ops/optimizer.h */
fv_status fv__append_updates(fv_graph *graph, const int *gradient, const struct fv_optimizer *optimizer);

#endif
