/* reference.h - evaluates a graph with the operations' references in double, the oracle of all tests. */
#ifndef FV_OPS_REFERENCE_H
#define FV_OPS_REFERENCE_H

#include "graph/op.h"

/* value[t] holds tensor t in plain layout: [n][...] (per image) or [...]. The caller fills those that no
 * node computes; fv__reference_create allocates all. */
typedef struct fv_reference {
    fv_context *ctx;
    const fv_graph *graph;
    int n;
    double **value;
    uint64_t seed;
    uint32_t step, epoch;
    bool updates; /* also runs nodes that change their inputs (fv_op.changes) */
    fv_status (*poll)(
        void *user); /* called before each node: any status but FV_OK ends the run; may be NULL */
    void *poll_user;
    double rounding; /* as in fv_ref: for ops/rounding.h */
    struct fv_rng *draws;
} fv_reference;

fv_status fv__reference_create(fv_context *ctx, const fv_graph *graph, int n, fv_reference **out);
void fv__reference_destroy(fv_reference *reference);
/* Evaluates nodes in order, up to the one that computes `tensor` (-1: all). */
fv_status fv__reference_run(fv_reference *reference, int tensor);
/* Evaluates nodes [first, end) only; their inputs must have been computed. */
fv_status fv__reference_run_nodes(fv_reference *reference, int first, int end);
/* The smooth piece that the inputs of an evaluated node are on, by op->side; 0 for a smooth operation. */
uint64_t fv__reference_side(const fv_reference *reference, int node);
/* The approximate number of operations of one evaluation of a node. */
double fv__reference_cost(const fv_reference *reference, int node);
/* One more than the node that computes the last loss, where the forward pass ends. */
int fv__reference_forward_end(const fv_reference *reference);
bool fv__tensor_is_per_image(const fv_tensor *tensor);

#endif
