/* cpu.h - the instruction sets of this machine. */
#ifndef FV_BASE_CPU_H
#define FV_BASE_CPU_H

#include "base/context.h"

bool fv__cpu_has(fv_isa isa);
fv_isa fv__cpu_best(void);
const char *fv__isa_name(fv_isa isa);
/* "auto" or NULL: the best one. Fails with FV_ERR_ARGUMENT (unknown name) or FV_ERR_UNSUPPORTED (this
 * machine lacks it). */
fv_status fv__isa_choose(fv_context *ctx, const char *name, fv_isa *out);

#endif
