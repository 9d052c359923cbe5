/* run.h - executes a plan: the memory of one run and the loop over its phases. */
#ifndef FV_RUN_RUN_H
#define FV_RUN_RUN_H

#include "plan/plan.h"

typedef struct fv_run fv_run;

fv_status fv__run_create(fv_context *ctx, const fv_plan *plan, fv_run **out);
void fv__run_destroy(fv_run *run);
/* Storage for a tensor that no node computes (parameter, statistic, state); it must outlive the run. */
void fv__run_bind(fv_run *run, int tensor, float *storage);
/* The memory of a kept tensor; a per-image tensor is [block][count][16]. Kept are the graph's results and
 * losses, gradients, per-image inputs that are no feeds, and with keep_all every tensor. NULL for all
 * others. */
float *fv__run_buffer(fv_run *run, int tensor);

/* The sum of image i's losses, after a run of a plan that computes them. */
double fv__run_loss(fv_run *run, const fv_graph *graph, int i);

/* Runs all phases; updates only if `update`. On FV_ERR_NONFINITE the message names the layer, and no
 * parameter was changed. */
fv_status fv__run_step(fv_run *run, const fv_batch *batch, bool update);
/* Must be called after parameters have changed: the next run of a frozen plan then repeats its preparation.
 */
void fv__run_refresh(fv_run *run);
size_t fv__run_bytes(const fv_run *run);

/* seconds[step]: summed over workers since the run was created; NULL unless profiling is on. */
fv_status fv__run_profile(fv_run *run, bool on);
const double *fv__run_seconds(const fv_run *run);

#endif
