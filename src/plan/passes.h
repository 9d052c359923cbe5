/* passes.h - the passes of the plan, in the order in which they run. */
#ifndef FV_PLAN_PASSES_H
#define FV_PLAN_PASSES_H

#include "plan/plan.h"

fv_status fv__plan_lower(fv_plan *plan); /* nodes -> steps and buffers */

/* Parts of the first pass where options.c16. A node is lowered in the layout c16, with what is fused behind
 * it, which is marked in skip[node], as is what nobody wants; FV_ERR_UNSUPPORTED, and nothing done: it
 * cannot. */
fv_status fv__one_image_input(fv_plan *plan, const bool *skip);
fv_status fv__one_image_lower_node(fv_plan *plan, int k, bool *skip);
/* Copies a tensor in c16 into lanes, for those that read it there; nothing where it is not in c16. */
fv_status fv__one_image_out(fv_plan *plan, int tensor);

fv_status fv__plan_fuse(fv_plan *plan);    /* some steps do the next one's work too */
fv_status fv__plan_segment(fv_plan *plan); /* steps -> phases */
fv_status fv__plan_remake(fv_plan *plan);  /* steps made again on the way back */
fv_status fv__plan_place(fv_plan *plan);   /* buffers -> addresses */

/* Appends a buffer that shares no other's memory; *out: its number. */
fv_status fv__plan_buffer(fv_plan *plan, fv_buffer buffer, int *out);
/* Floats of all the memory that a placed buffer takes in its arena. */
int64_t fv__plan_floats(const fv_plan *plan, const fv_buffer *b);
/* The phase of a step; -1 before the first, n_phases after the last. */
int fv__plan_phase_of(const fv_plan *plan, int step);
/* Whether a buffer's value is asked for after the run, or comes from outside before it. */
bool fv__plan_keeps(const fv_plan *plan, int buffer);

#endif
