/* cpu.h - what this machine can do. */
#ifndef FV_BASE_CPU_H
#define FV_BASE_CPU_H

#include "base/context.h"

bool fv__cpu_has(fv_isa isa);
fv_isa fv__cpu_best(void);
int fv__cpu_cores(void); /* that this process may use; at least 1 */
/* Bytes of memory in all; SIZE_MAX where the system does not say. */
size_t fv__machine_memory(void);
/* The core that runs the calling thread; -1 where the system does not say. */
int fv__cpu_current(void);
/* Moves the calling thread to a core that is not in taken[n], if it may use one. It stays free to move on. */
void fv__cpu_avoid(const int *taken, int n);
const char *fv__isa_name(fv_isa isa);
/* "auto" or NULL: the best. Fails with FV_ERR_ARGUMENT (unknown) or FV_ERR_UNSUPPORTED (lacking). */
fv_status fv__isa_choose(fv_context *ctx, const char *name, fv_isa *out);

#endif
