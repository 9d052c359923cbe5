/* clock.h - seconds of a monotonic clock. Only reports, and the number of differences that a check of
 * gradients takes, depend on it. */
#ifndef FV_BASE_CLOCK_H
#define FV_BASE_CLOCK_H

#include "base/exact.h"

double fv__seconds(void);

#endif
