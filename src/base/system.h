/* system.h - what the operating system says of this machine. Nothing here allocates or fails. */
#ifndef FV_BASE_SYSTEM_H
#define FV_BASE_SYSTEM_H

#include "base/exact.h"

#include <stddef.h>

int fv__machine_cores(void); /* that this process may use; at least 1 */
/* Bytes of memory in all; SIZE_MAX where the system does not say. */
size_t fv__machine_memory(void);
/* The core that runs the calling thread; -1 where the system does not say. */
int fv__machine_core(void);
/* Moves the calling thread to a core that is not in taken[n], if it may use one. It stays free to move on. */
void fv__machine_avoid(const int *taken, int n);

/* What block sizes are chosen by: the maker of the CPU ("amd", "intel", "arm" or "unknown"), and the bytes of
 * the caches that a core reads data through: L1, L2, L3; 0 where the system does not say. */
typedef struct fv_machine {
    const char *family;
    size_t cache[3];
} fv_machine;
fv_machine fv__machine(void);

#endif
