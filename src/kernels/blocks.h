/* blocks.h - block sizes: how much of its operands a loop takes at a time, so that they stay in a cache.
 *
 * One table, measured on cores with 48 KiB of L1 and 1 MiB of L2 (AMD Zen 5). No sum depends on any of them,
 * so another family of CPUs may have a column of its own. What sums do depend on (the slices of a batch,
 * whether Winograd is used) stands with the operations. */
#ifndef FV_KERNELS_BLOCKS_H
#define FV_KERNELS_BLOCKS_H

/* ---- a batch, block by block ------------------------------------------------------------------------- */

/* Values of a group of blocks that go through a phase together; more than 4 blocks gain nothing, since a
 * tile has no more vectors. */
#define FV_GROUP_BYTES  (640 * 1024)
#define FV_GROUP_BLOCKS 4

/* ---- conv, forward and data gradient --------------------------------------------------------------- */

/* conv.inc: what a stretch of a row of outputs reads of x, while every tile of outputs passes over it. */
#define FV_CONV_STRETCH_BYTES (192 * 1024)
/* conv_pixels.inc: terms at a time, whose sums are loaded and stored once each, and what is staged of them:
 * 13 pixels of 512 terms, a quarter of an image of 7x7. */
#define FV_PIXELS_TERMS 512
#define FV_PIXELS_BYTES (416 * 1024)
/* winograd.inc: tiles of 4x4 at a time, the vectors of a broadcast tile. */
#define FV_WINOGRAD_TILES 4

/* ---- conv, weight gradient -------------------------------------------------------------------------- */

/* conv_dw_rows.inc: a chunk of a panel of x as rows, and the same chunk of dy; and pixels of a chunk, at
 * least: fewer, and loading the sums would cost as much as adding to them. */
#define FV_ROWS_BYTES  (256 * 1024)
#define FV_ROWS_PIXELS 16
/* Outputs at a time: fewer, and turning x would cost as much as the products; so many whose sums take no
 * more bytes, which every chunk reads and writes once: they may lie in L3. */
#define FV_ROWS_OUTPUTS    256
#define FV_ROWS_SUMS_BYTES (1024 * 1024)
/* conv_dw_outputs.inc: pixels of dy as rows, which the taps of all windows pass over. */
#define FV_WIDE_BYTES (128 * 1024)
/* winograd_dw.inc: outputs and inputs of a panel, and tiles, which are 16 terms each. */
#define FV_WINOGRAD_DW_OUTPUTS 128
#define FV_WINOGRAD_DW_INPUTS  64
#define FV_WINOGRAD_DW_TILES   4

/* ---- one image, in c16 -------------------------------------------------------------------------------- */

/* conv_c16.inc: what a unit reads of x again and again; terms whose weights stay in L1 while all pixels of
 * the unit pass over them; terms that are unfolded at a time. */
#define FV_C16_BYTES    (256 * 1024)
#define FV_C16_TERMS    128
#define FV_UNFOLD_TERMS 144
/* winograd_c16.inc: channels whose weights are transformed at a time. */
#define FV_WINOGRAD_CHUNK 32

/* ---- attention, normalisations ------------------------------------------------------------------- */

/* attention.inc: queries whose scores are kept at a time by the forward kernel. */
#define FV_ATTENTION_QUERIES 20
/* layernorm.inc: neighbouring tokens, whose sums do not wait for each other. */
#define FV_LAYERNORM_TOKENS 4
/* lrn.inc: neighbouring pixels, likewise. */
#define FV_LRN_PIXELS 4

#endif
