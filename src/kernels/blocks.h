/* blocks.h - block sizes: how much of its operands a loop processes at a time, so that they stay in a cache.
 *
 * They are data of the machine: a table has a row for each family of CPUs (blocks.c), the context chooses
 * one, lowering reads it as l->blocks, and kernels receive it in their args. No sum depends on any of them
 * (tests/test_blocks.c), so a family may have any numbers. Constants that sums do depend on (the slices of
 * a batch, the shapes for Winograd) are in the operations' files. The number of registers of a tile is a
 * constant of the kernels. */
#ifndef FV_KERNELS_BLOCKS_H
#define FV_KERNELS_BLOCKS_H

#include "base/system.h"

#include <stdint.h>

typedef struct fv_blocks {
    const char *name; /* of the CPU family */

    /* ---- a batch, block by block */
    int64_t group_bytes; /* local values of neighbouring blocks that go through a phase together ... */
    int group_blocks;    /* ... and the most blocks: a tile has 4 vectors of pixels */

    /* ---- conv, forward and data gradient */
    int64_t stretch_bytes; /* conv.inc: the part of x that a stretch of a row of outputs reads, while all
                            * tiles of outputs process it */
    int pixels_terms;      /* conv_pixels.inc: terms at a time, whose sums are loaded and stored once ... */
    int64_t pixels_bytes;  /* ... and the im2col copy of them: 13 pixels of 512 terms, a quarter of 7x7 */

    int winograd_terms; /* winograd.inc: terms at a time, of some depths of the window and all channels */

    /* ---- conv, weight gradient */
    int64_t rows_bytes; /* conv_dw_rows.inc: a chunk of a panel of x as rows, and the same chunk of dy */
    int rows_pixels;  /* the fewest pixels of a chunk: with fewer, loading the sums costs as much as adding */
    int rows_outputs; /* the most output channels at a time. With fewer, the cost of transposing x weighs
                       * more. Their partial sums ... */
    int64_t rows_sums_bytes; /* ... take at most this: read and written once per chunk, they may be in L3 */
    int64_t wide_bytes; /* conv_dw_outputs.inc: pixels of dy as rows, which the taps of all windows read */
    int winograd_dw_outputs; /* winograd_dw.inc: outputs and inputs of a panel */
    int winograd_dw_inputs;  /* a multiple of 16 */

    /* ---- one image, in c16 */
    int64_t c16_bytes;  /* conv_c16.inc: the part of x that a unit of work reads repeatedly */
    int c16_terms;      /* terms whose weights stay in L1 while all pixels are processed; a multiple of 16 */
    int unfold_terms;   /* terms that im2col copies at a time */
    int winograd_chunk; /* winograd_c16.inc: channels whose weights are transformed at a time; a multiple of
                           16 */

    /* ---- attention */
    int attention_queries; /* attention.inc: queries whose scores the forward kernel keeps at a time */
} fv_blocks;

/* The row for this machine. */
const fv_blocks *fv__blocks_for(const fv_machine *machine);

/* ---- constants of the kernels: vectors of a tile, which are unrolled ---------------------------------- */

/* winograd.inc, winograd_dw.inc: tiles of 4x4 at a time, the vectors of a broadcast tile. */
#define FV_WINOGRAD_TILES    4
#define FV_WINOGRAD_DW_TILES 4
/* layernorm.inc: neighbouring tokens, whose sums are independent. */
#define FV_LAYERNORM_TOKENS 4
/* lrn.inc: neighbouring pixels, whose sums are independent. */
#define FV_LRN_PIXELS 4

#endif
