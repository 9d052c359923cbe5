/* system.h - queries the operating system for this machine's properties. Nothing here allocates or fails. */
#ifndef FV_BASE_SYSTEM_H
#define FV_BASE_SYSTEM_H

#include "base/exact.h"

#include <stddef.h>

int fv__machine_cores(void); /* cores that this process may use; at least 1 */
/* Bytes of memory in total; SIZE_MAX if the system does not say. */
size_t fv__machine_memory(void);
/* Bytes that can be had without swapping; the half of all where the system does not say. */
size_t fv__machine_free_memory(void);
/* The core that runs the calling thread; -1 if the system does not say. */
int fv__machine_core(void);
/* Moves the calling thread to a core that is not in taken[n], if it may use one. The thread is not pinned. */
void fv__machine_avoid(const int *taken, int n);

/* The properties by which block sizes are chosen: the maker of the CPU ("amd", "intel", "arm" or
 * "unknown"), and the bytes of the data caches of a core: L1, L2, L3; 0 if the system does not say. */
typedef struct fv_machine {
    const char *family;
    size_t cache[3];
} fv_machine;
fv_machine fv__machine(void);

#endif
