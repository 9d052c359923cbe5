/* blocks.h - block sizes: how much of its operands a loop takes at a time, so that they stay in a cache.
 *
 * They are data of the machine: a table has a row for each family of CPUs (blocks.c), the context chooses
 * one, and lowering reads it as l->blocks; a kernel is told in its args. No sum depends on any of them
 * (tests/test_blocks.c), so a family may have any numbers. What sums do depend on (the slices of a batch,
 * where Winograd is used) stands with the operations. What a tile holds in registers is a constant of the
 * kernels. */
#ifndef FV_KERNELS_BLOCKS_H
#define FV_KERNELS_BLOCKS_H

#include "base/system.h"

#include <stdint.h>

typedef struct fv_blocks {
    const char *name; /* of the row */

    /* ---- a batch, block by block */
    int64_t group_bytes; /* values of neighbouring blocks that go through a phase together ... */
    int group_blocks;    /* ... and how many blocks at most: a tile has 4 vectors of pixels */

    /* ---- conv, forward and data gradient */
    int64_t stretch_bytes; /* conv.inc: what a stretch of a row of outputs reads of x, while every tile of
                            * outputs passes over it */
    int pixels_terms; /* conv_pixels.inc: terms at a time, whose sums are loaded and stored once each ... */
    int64_t pixels_bytes; /* ... and what is copied of them: 13 pixels of 512 terms, a quarter of 7x7 */

    /* ---- conv, weight gradient */
    int64_t rows_bytes; /* conv_dw_rows.inc: a chunk of a panel of x as rows, and the same chunk of dy */
    int rows_pixels;  /* pixels of a chunk, at least: with fewer, loading the sums costs as much as adding */
    int rows_outputs; /* output channels at a time, at most. Fewer make transposing x dear; and their partial
                       * sums ... */
    int64_t rows_sums_bytes; /* ... take at most this: read and written once a chunk, they may be in L3 */
    int64_t wide_bytes; /* conv_dw_outputs.inc: pixels of dy as rows, which the taps of all windows read */
    int winograd_dw_outputs; /* winograd_dw.inc: outputs and inputs of a panel */
    int winograd_dw_inputs;  /* a multiple of 16 */

    /* ---- one image, in c16 */
    int64_t c16_bytes;  /* conv_c16.inc: what a unit of work reads of x again and again */
    int c16_terms;      /* terms whose weights stay in L1 while all pixels pass over them; a multiple of 16 */
    int unfold_terms;   /* terms that are unfolded (im2col) at a time */
    int winograd_chunk; /* winograd_c16.inc: channels whose weights are transformed at a time; a multiple of
                           16 */

    /* ---- attention */
    int attention_queries; /* attention.inc: queries whose scores are kept at a time by the forward kernel */
} fv_blocks;

/* The row for this machine. */
const fv_blocks *fv__blocks_for(const fv_machine *machine);

/* ---- constants of the kernels: vectors of a tile, which are unrolled ---------------------------------- */

/* winograd.inc, winograd_dw.inc: tiles of 4x4 at a time, the vectors of a broadcast tile. */
#define FV_WINOGRAD_TILES    4
#define FV_WINOGRAD_DW_TILES 4
/* layernorm.inc: neighbouring tokens, whose sums do not wait for each other. */
#define FV_LAYERNORM_TOKENS 4
/* lrn.inc: neighbouring pixels, likewise. */
#define FV_LRN_PIXELS 4

#endif
