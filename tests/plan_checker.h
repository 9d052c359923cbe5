/* plan_checker.h - finds in a plan what must not be: steps that read what is not there or means something
 * else, two values in the same memory, steps in the wrong phase. It shares nothing with the passes. */
#ifndef FV_TESTS_PLAN_CHECKER_H
#define FV_TESTS_PLAN_CHECKER_H

#include "plan/plan.h"

/* So many mistakes; the first ten are printed behind `name`. NULL: none is. */
int plan_mistakes(const fv_plan *plan, const char *name);

#endif
