/* clock.h - seconds of a monotonic clock. For reports, and for how many
 * differences a check of gradients takes: nothing else depends on it. */
#ifndef FV_BASE_CLOCK_H
#define FV_BASE_CLOCK_H

#include "base/exact.h"

double fv__seconds(void);

#endif
