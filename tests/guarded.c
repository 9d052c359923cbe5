/* guarded.c
 *
 *     header page (no access) | data pages, the block at their end | guard page (no access)
 *
 * The block begins in the first data page, so its header is found from its address. */
#include "guarded.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct header {
    size_t mapped_bytes;
} header;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *guarded_allocate(size_t bytes)
{
    const size_t page = page_bytes();
    if (bytes == 0)
        bytes = 4;
    const size_t data = (bytes + page - 1) / page * page;
    char *base = mmap(NULL, data + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    *(header *)base = (header){data + 2 * page};
    memset(base + page, 0xFF, data);
    mprotect(base, page, PROT_NONE);
    mprotect(base + page + data, page, PROT_NONE);
    return base + page + data - bytes;
}

void guarded_release(void *block)
{
    if (!block)
        return;
    const size_t page = page_bytes();
    char *base = (char *)((uintptr_t)block / page * page - page);
    mprotect(base, page, PROT_READ);
    munmap(base, ((header *)base)->mapped_bytes);
}

void *guarded_allocator_allocate(void *user, size_t bytes)
{
    (void)user;
    return guarded_allocate((bytes + 15) / 16 * 16);
}

void guarded_allocator_release(void *user, void *block)
{
    (void)user;
    guarded_release(block);
}
