/* passes.h - the passes of the plan, in the order in which they run. */
#ifndef FV_PLAN_PASSES_H
#define FV_PLAN_PASSES_H

#include "plan/plan.h"

fv_status fv__plan_lower(fv_plan *plan);   /* nodes -> steps and buffers */
fv_status fv__plan_segment(fv_plan *plan); /* steps -> phases */
fv_status fv__plan_remake(fv_plan *plan);  /* steps that the backward pass recomputes */
fv_status fv__plan_place(fv_plan *plan);   /* buffers -> addresses */

/* Parts of the lowering pass. With options.c16: which nodes are in c16, an input in c16, and the lowering
 * of such a node, for which `l` holds everything but the operands. */
fv_status fv__one_image_layouts(fv_plan *plan);
fv_status fv__one_image_feed(fv_plan *plan, int feed);
fv_status fv__one_image_lower(fv_plan *plan, int k, fv_lower *l);
/* Copies a tensor in c16 into lanes for its readers there. It does nothing if the tensor is not in c16. */
fv_status fv__one_image_out(fv_plan *plan, int tensor);
fv_status fv__plan_fuse(fv_plan *plan); /* marks nodes that the steps of an earlier node compute */

/* Appends a buffer that shares no other's memory; *out: its number. */
fv_status fv__plan_buffer(fv_plan *plan, fv_buffer buffer, int *out);
/* Floats that the memory of a placed buffer takes in its arena. */
int64_t fv__plan_floats(const fv_plan *plan, const fv_buffer *b);
/* The phase of a step; -1 before the first, n_phases after the last. */
int fv__plan_phase_of(const fv_plan *plan, int step);
/* Whether the caller sets a buffer's value before the run or reads it after the run. */
bool fv__plan_keeps(const fv_plan *plan, int buffer);

#endif
