/* system.c - queries the operating system for this machine's cores, memory and caches. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/exact.h"
#include "base/system.h"

#include <fcntl.h>
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

/* The line "MemAvailable:   12345 kB". */
size_t fv__machine_free_memory(void)
{
    static const char key[] = "MemAvailable:";
    char text[2048];
    const size_t all = fv__machine_memory();
    const int file = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    const ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    text[n > 0 ? n : 0] = '\0';
    const char *p = text;
    for (size_t k = 0; *p && k + 1 < sizeof key; p++)
        k = *p == key[k] ? k + 1 : *p == key[0];
    while (*p == ' ')
        p++;
    size_t kilobytes = 0;
    for (; *p >= '0' && *p <= '9' && kilobytes < SIZE_MAX / 16384; p++)
        kilobytes = 10 * kilobytes + (size_t)(*p - '0');
    return kilobytes > 0 ? kilobytes << 10 : all / 2;
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

/* ---- the machine, for the choice of block sizes ------------------------------------------------------- */

/* Reads the first line of a sysfs file about one of the caches of core 0; an empty text if there is no such
 * file. */
static int read_cache_file(int index, const char *name, char *text, size_t room)
{
    char path[96] = "/sys/devices/system/cpu/cpu0/cache/index0/";
    size_t n = 0;
    while (path[n])
        n++;
    path[n - 2] = (char)('0' + index);
    for (size_t i = 0; name[i] && n + 1 < sizeof path; i++)
        path[n++] = name[i];
    path[n] = '\0';
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    const ssize_t found = read(file, text, room - 1);
    close(file);
    text[found > 0 ? found : 0] = '\0';
    return found > 0 ? (int)found : 0;
}

/* "48K" or "1M" as bytes. */
static size_t bytes_of(const char *text)
{
    size_t n = 0;
    for (; *text >= '0' && *text <= '9' && n < SIZE_MAX / 2048; text++)
        n = 10 * n + (size_t)(*text - '0');
    return *text == 'K' ? n << 10 : *text == 'M' ? n << 20 : n;
}

static const char *family(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    return __builtin_cpu_is("amd") ? "amd" : __builtin_cpu_is("intel") ? "intel" : "unknown";
#elif defined(__aarch64__)
    return "arm";
#else
    return "unknown";
#endif
}

fv_machine fv__machine(void)
{
    fv_machine machine = {.family = family()};
    char level[8], type[16], size[24];
    for (int i = 0; i < 8; i++) {
        if (!read_cache_file(i, "level", level, sizeof level) ||
            !read_cache_file(i, "type", type, sizeof type) || !read_cache_file(i, "size", size, sizeof size))
            continue;
        if (type[0] != 'I' && level[0] >= '1' && level[0] <= '3') /* not a cache of instructions */
            machine.cache[level[0] - '1'] = bytes_of(size);
    }
    return machine;
}
