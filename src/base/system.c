/* system.c - what the operating system says of this machine: cores, memory, caches. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/exact.h"
#include "base/system.h"

#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif

int fv__machine_cores(void)
{
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 1024 ? 1024 : (int)n;
}

size_t fv__machine_memory(void)
{
#ifdef _SC_PHYS_PAGES
    const long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && bytes > 0)
        return (size_t)pages * (size_t)bytes;
#endif
    return SIZE_MAX;
}

int fv__machine_core(void)
{
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

void fv__machine_avoid(const int *taken, int n)
{
#ifdef __linux__
    cpu_set_t allowed, rest;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    rest = allowed;
    for (int i = 0; i < n; i++)
        if (taken[i] >= 0 && taken[i] < CPU_SETSIZE)
            CPU_CLR(taken[i], &rest);
    if (CPU_COUNT(&rest) > 0 && sched_setaffinity(0, sizeof rest, &rest) == 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
#else
    (void)taken;
    (void)n;
#endif
}
