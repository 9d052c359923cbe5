/* run.h - walks a plan: the memory of one run and the loop over its phases. */
#ifndef FV_RUN_RUN_H
#define FV_RUN_RUN_H

#include "plan/plan.h"

typedef struct fv_run fv_run;

fv_status fv__run_create(fv_context *ctx, const fv_plan *plan, fv_run **out);
void fv__run_destroy(fv_run *run);
/* Storage for a tensor without a source (parameter, statistic, state); must outlive the run. */
void fv__run_bind(fv_run *run, int tensor, float *storage);
/* The memory of a kept tensor: per-image ones as [block][count][16]. Kept are the graph's results and losses,
 * gradients, free per-image inputs, and with keep_all every tensor. NULL for the rest. */
float *fv__run_buffer(fv_run *run, int tensor);

/* Image i's losses, added up, after a run of a plan that has them. */
double fv__run_loss(fv_run *run, const fv_graph *graph, int i);

/* Runs all phases. Where the plan has updates they are skipped unless `update`. FV_ERR_NONFINITE names the
 * layer; then no parameter was changed. */
fv_status fv__run_step(fv_run *run, const fv_batch *batch, bool update);
/* To be called when parameters have changed: if the plan is frozen, what was prepared from them is prepared
 * again. */
void fv__run_refresh(fv_run *run);
size_t fv__run_bytes(const fv_run *run);

/* seconds[step]: summed since the run was made, over workers; NULL unless profiling was switched on. */
fv_status fv__run_profile(fv_run *run, bool on);
const double *fv__run_seconds(const fv_run *run);

#endif
