/* reference.h - evaluates a graph with the operations' plain double-precision references: the oracle. */
#ifndef FV_OPS_REFERENCE_H
#define FV_OPS_REFERENCE_H

#include "graph/op.h"

/* value[t]: of tensor t, plain layout [n][...] (per image) or [...]; the caller fills those without a
 * source, fv__reference_create makes room for all. */
typedef struct fv_reference {
    fv_context *ctx;
    const fv_graph *graph;
    int n;
    double **value;
    uint64_t seed;
    uint32_t step, epoch;
    bool updates;                  /* also runs nodes that change what they read (fv_op.changes) */
    fv_status (*poll)(void *user); /* asked before each node: anything but FV_OK ends the run; may be NULL */
    void *poll_user;
    double rounding; /* as in fv_ref: for ops/rounding.h */
    struct fv_rng *draws;
} fv_reference;

fv_status fv__reference_create(fv_context *ctx, const fv_graph *graph, int n, fv_reference **out);
void fv__reference_destroy(fv_reference *reference);
/* Evaluates nodes in order, up to the one that makes `tensor` (-1: all). */
fv_status fv__reference_run(fv_reference *reference, int tensor);
/* Evaluates nodes [first, end) alone: what they read must stand. */
fv_status fv__reference_run_nodes(fv_reference *reference, int first, int end);
/* Of a node that has been run: which smooth piece its inputs are on, by op->side; 0 where it is smooth. */
uint64_t fv__reference_side(const fv_reference *reference, int node);
/* What one evaluation of a node costs, in operations, about. */
double fv__reference_cost(const fv_reference *reference, int node);
/* The node that makes the last loss, and one more: where the forward pass ends. */
int fv__reference_forward_end(const fv_reference *reference);
bool fv__tensor_is_per_image(const fv_tensor *tensor);

#endif
