/* guarded.h - memory that ends at a page nobody may touch: reading or writing past a block is a crash. */
#ifndef FV_TESTS_GUARDED_H
#define FV_TESTS_GUARDED_H

#include <stddef.h>

/* A block of exactly `bytes`, a multiple of 4, its last byte just before the guard page; another page that
 * may not be touched stands before the block's first page. Filled with 0xFF: as floats, NaN. NULL: no
 * memory. */
void *guarded_allocate(size_t bytes);
void guarded_release(void *block);

/* The same with the signature of fv_allocator; blocks are aligned to 16, as malloc's are. */
void *guarded_allocator_allocate(void *user, size_t bytes);
void guarded_allocator_release(void *user, void *block);

#endif
