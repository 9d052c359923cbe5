/* passes.h - the passes of the plan, in the order in which they run. */
#ifndef FV_PLAN_PASSES_H
#define FV_PLAN_PASSES_H

#include "plan/plan.h"

fv_status fv__plan_lower(fv_plan *plan);    /* nodes -> steps and buffers */
fv_status fv__plan_segment(fv_plan *plan);  /* steps -> phases */
fv_status fv__plan_place(fv_plan *plan);    /* buffers -> addresses */

#endif
